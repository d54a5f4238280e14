/**
 * Guests on a network, as many as there are MACs, behind one interface: clients of DHCP, DHCPv6, DNS and TFTP that show what came over the wire. They are
 * told what to ask, a line of JSON each: `{ "id": 1, "how": "dhcp", … }` → `answer 1 {…}`, with null for silence.
 */
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

const bytesOf = (text) => Buffer.from(text.replaceAll(':', ''), 'hex');
const random = (bytes) => crypto.getRandomValues(Buffer.alloc(bytes));

/** One socket for all clients: answers are told apart by what `isAnswer` says. */
async function opened(family, port) {
  const socket = createSocket({ type: family, reuseAddr: true, ipv6Only: family === 'udp6' });
  socket.setMaxListeners(1000);
  socket.on('error', () => {});
  await new Promise((resolve) => socket.bind(port, resolve));
  return socket;
}

/** Asks until there is an answer, or it gives up. `read` takes a packet and says undefined when it is no answer. */
function ask(socket, { packet, to, port, giveUpMs = 50_000, retryMs = 1000, read }) {
  return new Promise((resolve) => {
    const send = () => socket.send(packet, port, to, () => {});
    const again = setInterval(send, retryMs);
    const end = (value) => {
      clearInterval(again);
      clearTimeout(limit);
      socket.off('message', listen);
      resolve(value);
    };
    const listen = (message, from) => {
      const value = read(message, from);
      if (value !== undefined) end(value);
    };
    const limit = setTimeout(() => end(null), giveUpMs);
    socket.on('message', listen);
    send();
  });
}

const four = await opened('udp4', 68);
four.setBroadcast(true);
const six = await opened('udp6', 546);

function dhcpPacket({ type, id, mac, options }) {
  const head = Buffer.alloc(240);
  head.set([1, 1, 6, 0]);
  head.set(id, 4);
  // who has no address yet wants the answer as a broadcast
  head.writeUInt16BE(0x8000, 10);
  head.set(mac, 28);
  head.set([0x63, 0x82, 0x53, 0x63], 236);
  const all = [[53, Buffer.of(type)], ...options, [255, Buffer.alloc(0)]];
  return Buffer.concat([
    head,
    ...all.flatMap(([code, value]) => [Buffer.of(code), ...(code === 255 ? [] : [Buffer.of(value.length), value])]),
  ]);
}

function readDhcp(message, id) {
  if (message[0] !== 2 || !message.subarray(4, 8).equals(id)) return undefined;
  const options = {};
  for (let at = 240; at < message.length && message[at] !== 255;) {
    if (message[at] === 0) at += 1;
    else {
      const length = message[at + 1];
      options[message[at]] = (options[message[at]] ?? '') + message.subarray(at + 2, at + 2 + length).toString('hex');
      at += 2 + length;
    }
  }
  const textAt = (from, to) => message.subarray(from, to).toString('latin1').replace(/\0.*$/s, '');
  const address = (from) => [...message.subarray(from, from + 4)].join('.');
  return { ip: address(16), next: address(20), server: textAt(44, 108), file: textAt(108, 236), options };
}

const dhcpTypes = { offer: '02', ack: '05', nak: '06' };

async function dhcp({
  mac: written,
  requested,
  hostName,
  clientId,
  wants = [1, 3, 6, 15, 26, 119],
  renews,
  giveUpMs,
  retryMs,
  discoverOnly,
  leaseS,
}) {
  const mac = bytesOf(written);
  const id = random(4);
  const common = [
    // room for all options
    [57, Buffer.of(5, 180)],
    ...(clientId === undefined ? [] : [[61, Buffer.from(clientId, 'latin1')]]),
    ...(hostName === undefined ? [] : [[12, Buffer.from(hostName, 'latin1')]]),
    ...(leaseS === undefined ? [] : [[51, Buffer.from(leaseS.toString(16).padStart(8, '0'), 'hex')]]),
    ...(wants.length === 0 ? [] : [[55, Buffer.from(wants)]]),
  ];
  const exchange = (type, options, types) =>
    ask(four, {
      packet: dhcpPacket({ type, id, mac, options: [...options, ...common] }),
      to: '255.255.255.255',
      port: 67,
      giveUpMs,
      retryMs,
      read: (message) => {
        const found = readDhcp(message, id);
        return types.includes(found?.options[53]) ? found : undefined;
      },
    });
  const ip = (text) => Buffer.from(text.split('.').map(Number));
  const { offer, ack, nak } = dhcpTypes;
  if (renews !== undefined) return await exchange(3, [[50, ip(renews)]], [ack, nak]);
  const offered = await exchange(1, requested === undefined ? [] : [[50, ip(requested)]], [offer]);
  if (offered === null || discoverOnly) return offered;
  return await exchange(
    3,
    [
      [50, ip(offered.ip)],
      [54, Buffer.from(offered.options[54], 'hex')],
    ],
    [ack, nak],
  );
}

const option6 = (code, value) => {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(code);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value]);
};

function readOptions6(bytes) {
  const found = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = bytes.readUInt16BE(at + 2);
    found.push([bytes.readUInt16BE(at), bytes.subarray(at + 4, at + 4 + length)]);
    at += 4 + length;
  }
  return found;
}

/** `addresses`: one is asked for; else only what else there is to tell. `duid`: another name than the one that is made from the MAC. */
async function dhcp6({ mac, addresses, giveUpMs, retryMs, duid: written, iaid = 1, hostName }) {
  const duid = written === undefined ? Buffer.concat([Buffer.of(0, 3, 0, 1), bytesOf(mac)]) : bytesOf(written);
  const id = random(3);
  const rest = [
    option6(1, duid),
    option6(6, Buffer.of(0, 23, 0, 24)),
    option6(8, Buffer.alloc(2)),
    // a name with its length before it, and the request that the server makes it known
    ...(hostName === undefined ? [] : [option6(39, Buffer.from([1, hostName.length, ...Buffer.from(hostName), 0]))]),
  ];
  const exchange = (type, options) =>
    ask(six, {
      packet: Buffer.concat([Buffer.of(type), id, ...options, ...rest]),
      to: 'ff02::1:2%eth0',
      port: 547,
      giveUpMs,
      retryMs,
      read: (message) =>
        message.subarray(1, 4).equals(id) && [2, 7].includes(message[0])
          ? readOptions6(message.subarray(4))
          : undefined,
    });
  const number = Buffer.alloc(4);
  number.writeUInt32BE(iaid);
  const association = option6(3, Buffer.concat([number, Buffer.alloc(8)]));
  const first = await exchange(addresses ? 1 : 11, addresses ? [association] : []);
  if (first === null) return null;
  const find = (options, code) => options.find(([one]) => one === code)?.[1];
  const answer = addresses
    ? await exchange(3, [option6(2, find(first, 2)), option6(3, find(first, 3) ?? Buffer.alloc(12))])
    : first;
  if (answer === null) return null;
  const given = readOptions6((find(answer, 3) ?? Buffer.alloc(12)).subarray(12)).filter(([code]) => code === 5);
  return {
    addresses: given.map(([, value]) => value.subarray(0, 16).toString('hex')),
    options: Object.fromEntries(answer.map(([code, value]) => [code, value.toString('hex')])),
  };
}

/** The first packet of a file, or the error. */
async function tftp({ server, file, giveUpMs }) {
  const socket = await opened('udp4', 0);
  const packet = Buffer.concat([Buffer.of(0, 1), Buffer.from(`${file}\0octet\0`, 'latin1')]);
  try {
    return await ask(socket, {
      packet,
      to: server,
      port: 69,
      giveUpMs,
      read: (message) =>
        message[1] === 3 ? { data: message.subarray(4).toString('latin1') } : { error: message.readUInt16BE(2) },
    });
  } finally {
    socket.close();
  }
}

const dnsTypes = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33 };

function readName(message, start) {
  const labels = [];
  let at = start;
  let end;
  for (;;) {
    const length = message[at];
    if (length === 0) return [labels.join('.'), end ?? at + 1];
    if (length >= 0xc0) {
      end ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
    } else {
      labels.push(message.subarray(at + 1, at + 1 + length).toString('latin1'));
      at += 1 + length;
    }
  }
}

const valuesOf = {
  1: (message, at) => [...message.subarray(at, at + 4)].join('.'),
  28: (message, at) => message.subarray(at, at + 16).toString('hex'),
  12: (message, at) => readName(message, at)[0],
  16: (message, at) => message.subarray(at + 1, at + 1 + message[at]).toString('latin1'),
  33: (message, at) => `${readName(message, at + 6)[0]}:${message.readUInt16BE(at + 4)}`,
};

function readAnswers(message, id) {
  if (!message.subarray(0, 2).equals(id)) return undefined;
  let at = readName(message, 12)[1] + 4;
  const answers = [];
  for (let left = message.readUInt16BE(6); left > 0; left -= 1) {
    at = readName(message, at)[1];
    const type = message.readUInt16BE(at);
    if (valuesOf[type] !== undefined) answers.push(valuesOf[type](message, at + 10));
    at += 10 + message.readUInt16BE(at + 8);
  }
  return { code: message[3] & 15, answers: answers.toSorted((one, other) => (one < other ? -1 : 1)) };
}

async function dns({ server, name, type = 'A', giveUpMs, retryMs }) {
  const id = random(2);
  const labels = name.split('.').flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')]);
  const packet = Buffer.concat([
    id,
    Buffer.of(1, 0, 0, 1, 0, 0, 0, 0, 0, 0),
    ...labels,
    Buffer.of(0, 0, dnsTypes[type], 0, 1),
  ]);
  const socket = await opened(server.includes(':') ? 'udp6' : 'udp4', 0);
  try {
    return await ask(socket, {
      packet,
      to: server,
      port: 53,
      giveUpMs,
      retryMs,
      read: (message) => readAnswers(message, id),
    });
  } finally {
    socket.close();
  }
}

/** With `names` it is a name server that knows one address, and counts who asks. */
let asked = 0;
const ways = { dhcp, dhcp6, tftp, dns, asked: async () => asked };
if (process.argv[2] === 'names') {
  const server = createSocket({ type: 'udp6', ipv6Only: false });
  server.on('message', (message, from) => {
    asked += 1;
    const end = readName(message, 12)[1] + 4;
    const isA = message.readUInt16BE(end - 4) === 1;
    const head = Buffer.from(message.subarray(0, end));
    head.set([0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0], 2);
    const answer = Buffer.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 198, 51, 100, 7);
    server.send(Buffer.concat([head, ...(isA ? [answer] : [])]), from.port, from.address);
  });
  await new Promise((resolve) => server.bind(53, resolve));
}

createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const { id, how, ...rest } = JSON.parse(line);
    console.log(`answer ${id} ${JSON.stringify(await ways[how](rest))}`);
  })
  .on('close', () => process.exit());
console.log('ready');
