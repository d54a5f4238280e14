/**
 * Somebody on a network: answers by TCP and UDP, with its name and with whom it sees asking; and asks others when it is told to, a line of
 * JSON each: `{ "id": 1, "asks": [{ "how": "tcp", "to": "10.0.0.1", "port": 7000, "giveUpMs": 500 }, …] }` → `answers 1 ["g1 sees 10.0.0.2", "no: silence", …]`.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, createServer, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';

const [name = ''] = process.argv.slice(2);
const bare = (address) => address.replace('::ffff:', '');
/** Everybody answers there: on the second with the port of whoever asks, on the third and fourth as if to clients of DHCP and DHCPv6. */
const ports = [7000, 7001, 68, 546];
const seen = (at, address, port) => `${name} sees ${bare(address)}${at === 7001 ? ` at ${port}` : ''}`;

function answerTcp(at) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(seen(at, socket.remoteAddress ?? '', socket.remotePort));
  });
  return new Promise((resolve) => server.listen(at, '::', resolve));
}

/** Who has sent a datagram here, by name, whether it was answered or not. */
const heard = new Set();

/** One of each family: what is sent to a group of IPv4 comes to no socket of IPv6. */
const answerUdp = (at) =>
  Promise.all(
    [
      ['udp4', '0.0.0.0'],
      ['udp6', '::'],
    ].map(([type, address]) => {
      const socket = createSocket({ type, ipv6Only: type === 'udp6' });
      socket.on('message', (message, from) => {
        heard.add(String(message));
        socket.send(seen(at, from.address, from.port), from.port, from.address, () => {});
      });
      socket.on('error', () => {});
      return new Promise((resolve) => socket.bind(at, address, resolve));
    }),
  );

await Promise.all(ports.flatMap((at) => [answerTcp(at), answerUdp(at)]));
console.log('ready');

const retryMs = 100;

const ways = {
  heard: async () => [...heard].join(' '),

  tcp: ({ to, port: at, from, giveUpMs }) =>
    new Promise((resolve) => {
      const socket = connect({
        host: to,
        port: at,
        timeout: giveUpMs,
        ...(from !== undefined && { localAddress: from }),
      });
      let text = '';
      socket.setEncoding('utf8');
      socket.on('data', (more) => (text += more));
      socket.on('end', () => resolve(text));
      socket.on('error', ({ code }) => resolve(`no: ${code}`));
      socket.on('timeout', () => {
        socket.destroy();
        resolve('no: silence');
      });
    }),

  udp: ({ to, port: at, from, giveUpMs }) =>
    new Promise((resolve) => {
      const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4');
      const again = setInterval(() => socket.send(name, at, to, () => {}), retryMs);
      const end = (text) => {
        clearInterval(again);
        clearTimeout(late);
        socket.close();
        resolve(text);
      };
      const late = setTimeout(() => end('no: silence'), giveUpMs);
      socket.once('message', (text) => end(String(text)));
      socket.on('error', () => {});
      // not connected: a host answers from the address that is nearest
      socket.bind(0, from, () => {
        socket.setBroadcast(true);
        socket.send(name, at, to, () => {});
      });
    }),

  closed: ({ to, port: at, giveUpMs }) =>
    new Promise((resolve) => {
      const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4');
      const again = setInterval(() => socket.send('?', () => {}), retryMs);
      const end = (text) => {
        clearInterval(again);
        clearTimeout(late);
        socket.close();
        resolve(text);
      };
      const late = setTimeout(() => end('no: silence'), giveUpMs);
      socket.on('error', ({ code }) => end(`told: ${code}`));
      socket.connect(at, to, () => socket.send('?', () => {}));
    }),

  icmp: ({ to, from, giveUpMs }) =>
    new Promise((resolve) => {
      // one is enough where it is to pass; where not, its answer is not waited for long
      const seconds = giveUpMs / 1000;
      const wait = seconds < 1 ? ['-W', String(seconds)] : ['-i', '0.2', '-w', String(Math.round(seconds))];
      const source = from === undefined ? [] : ['-I', from];
      const ping = spawn('ping', ['-n', '-q', '-c', '1', ...wait, ...source, to], { stdio: 'ignore' });
      ping.on('close', (status) => resolve(status === 0 ? 'pong' : 'no: silence'));
    }),
};

createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const { id, asks } = JSON.parse(line);
    const answers = await Promise.all(asks.map((ask) => ways[ask.how](ask)));
    console.log(`answers ${id} ${JSON.stringify(answers)}`);
  })
  .on('close', () => process.exit());
