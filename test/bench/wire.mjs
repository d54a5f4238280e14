/**
 * What the switch itself costs: full frames from one end to the other, once over a unix stream from end to end and once through the switch process of a
 * `hub` network. Both ends are this process, which takes part in the time of both.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import path from 'node:path';
import { Home } from './place.mjs';
import { takeTurns } from './rounds.mjs';

const frameBytes = 1514;
const framesAtOnce = 40;
const megabytes = 200;
/** So much is on its way at most: the switch drops what it has no room for, as a guest's TCP would notice. */
const windowBytes = 256 * 1024;
const macs = ['525400770001', '525400770002'].map((mac) => Buffer.from(mac, 'hex'));

export const wire = {
  name: 'wire',
  async run(bench) {
    const home = new Home(bench.place, 'wire');
    const direct = await connectDirectly(path.join(home.runtime, 'direct'));
    const switched = await connectBySwitch(home);
    try {
      const times = await takeTurns({ stream: () => transfer(direct), hub: () => transfer(switched) }, bench.turns);
      bench.ratio({
        name: `${megabytes} MB of full frames through the switch`,
        against: 'stream',
        times,
        of: 'hub',
        to: 'stream',
      });
    } finally {
      direct.end();
      await switched.end();
    }
  },
};

async function connectDirectly(file) {
  const server = createServer().listen(file);
  await once(server, 'listening');
  const from = createConnection(file);
  const [to] = await once(server, 'connection');
  return {
    from,
    to,
    end: () => {
      from.destroy();
      to.destroy();
      server.close();
    },
  };
}

/** The ends are what QEMUs are to it: they listen, and it connects. */
async function connectBySwitch(home) {
  const ports = home.mkdir('r/ports');
  const config = home.write('switch.json', JSON.stringify(configOf(home, ports)));
  const servers = ['a', 'b'].map((name) => createServer().listen(path.join(ports, `${name}.port`)));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const accepted = servers.map(async (server) => (await once(server, 'connection'))[0]);
  const process = spawn(home.place.node, [path.join(home.place.dir, 'package/dist/switch.cjs'), config], {
    env: home.env,
    cwd: home.dir,
    stdio: 'ignore',
  });
  const [from, to] = await Promise.race([
    Promise.all(accepted),
    once(process, 'exit').then(([status]) => {
      throw new Error(`the switch ended with ${status}`);
    }),
  ]);
  // each end has spoken, so that the switch knows where it is
  from.write(framed(1, macs[0], macs[1]));
  to.write(framed(1, macs[1], macs[0]));
  await once(from, 'data');
  await new Promise((resolve) => setTimeout(resolve, 200));
  return {
    from,
    to,
    end: async () => {
      process.kill('SIGTERM');
      await once(process, 'exit');
      for (const socket of [from, to]) socket.destroy();
      for (const server of servers) server.close();
    },
  };
}

const configOf = (home, ports) => ({
  v: 1,
  network: 'wire',
  ports,
  gatewayPort: path.join(ports, 'gateway'),
  members: home.mkdir('members'),
  leases: path.join(home.dir, 'leases.json'),
  subnet: '10.98.0.0/24',
  gateway: '10.98.0.254',
  dnsServer: '10.98.0.253',
  isolated: true,
  names: { hosts: [] },
});

/** As QEMU writes frames to a stream: their length in four bytes before each. The type is one for experiments. */
function framed(count, from, to) {
  const one = Buffer.alloc(4 + frameBytes);
  one.writeUInt32BE(frameBytes);
  to.copy(one, 4);
  from.copy(one, 10);
  one.writeUInt16BE(0x88b5, 16);
  return Buffer.concat(Array.from({ length: count }, () => one));
}

const chunk = framed(framesAtOnce, macs[0], macs[1]);

/** @returns {Promise<number>} milliseconds */
function transfer({ from, to }) {
  const wanted = Math.ceil((megabytes * 1024 * 1024) / chunk.length) * chunk.length;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${wanted - received} bytes did not come through`)), 60_000);
    let sent = 0;
    let received = 0;
    const begin = performance.now();
    const send = () => {
      while (sent < wanted && sent - received < windowBytes) {
        from.write(chunk);
        sent += chunk.length;
      }
    };
    const receive = (data) => {
      received += data.length;
      if (received < wanted) return send();
      clearTimeout(timer);
      to.off('data', receive);
      resolve(performance.now() - begin);
    };
    to.on('data', receive);
    send();
  });
}
