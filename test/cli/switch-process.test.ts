/** The switch as a process, with sockets as QEMU has them. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { maxFrameSize } from '../../src/switch/frame.ts';
import {
  arpFrame,
  dhcpFrame,
  dhcpReply,
  dnsMac,
  dnsQuestion,
  envelop,
  everyMac,
  frame,
  gatewayMac,
  ipv4Frame,
  udpFrame,
} from '../unit/switch/a-frame.ts';
import {
  buildSwitch,
  createLab,
  until,
  type FakeGuest,
  type Lab,
  type SwitchProcess,
} from '../unit/switch/a-process.ts';

let built = '';
let program = '';
beforeAll(async () => {
  built = mkdtempSync(path.join(os.tmpdir(), 'qrun-switch-built-'));
  program = await buildSwitch(built);
});
afterAll(() => rmSync(built, { recursive: true, force: true }));

let lab: Lab;
beforeEach(() => (lab = createLab(program)));
afterEach(() => lab.dispose());

const a = '52:54:00:00:00:0a';
const b = '52:54:00:00:00:0b';
const c = '52:54:00:00:00:0c';
const macs: Readonly<Record<string, string>> = { a, b, c };
const text = (from: string, to: string, said: string): Buffer =>
  frame({ from, to }, 0x88b5, Buffer.from(said.padEnd(46, '.')));
const saying = (said: string) => (one: Buffer) => one.includes(said);

/** Guests that know of one another: their ports are `a.port`, … */
async function guests<Name extends string>(...names: readonly Name[]): Promise<Record<Name, FakeGuest>> {
  const all = {} as Record<Name, FakeGuest>;
  for (const name of names) all[name] = await lab.guest(`${name}.port`);
  for (const name of names) await all[name].connected();
  for (const name of names)
    await reach(
      all[name],
      macs[name] ?? '',
      names.filter((one) => one !== name).map((one) => all[one]),
    );
  for (const name of names) all[name].got.splice(0);
  return all;
}

/** Says something to all until all have heard it: a connection is there on one side sooner than on the other. */
async function reach(from: FakeGuest, mac: string, others: readonly FakeGuest[]): Promise<void> {
  const hello = `hello of ${mac}`;
  const end = Date.now() + 30_000;
  while (!others.every(({ got }) => got.some(saying(hello)))) {
    if (Date.now() > end) throw new Error(`nobody hears ${mac}`);
    from.say(text(mac, everyMac, hello));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function addressFor(guest: FakeGuest, mac: string): Promise<string | undefined> {
  guest.say(dhcpFrame({ mac, type: 1 }));
  const offer = dhcpReply(envelop(await guest.hears((one) => one.readUInt16BE(36) === 68, 'an offer')));
  guest.say(dhcpFrame({ mac, type: 3, options: [[50, offer?.yourIp.split('.').map(Number) ?? []]] }));
  const ack = dhcpReply(envelop(await guest.hears((one) => one.readUInt16BE(36) === 68, 'an acknowledgement')));
  return ack?.type === 5 ? ack.yourIp : undefined;
}

const memoryKib = ({ child }: SwitchProcess): number =>
  Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8'))?.[1]);

/** So many times 100 KB for everybody, and then something for one, which arrives. */
async function shout(from: FakeGuest, to: FakeGuest, times = 300): Promise<void> {
  const noise = envelop(...Array.from({ length: 100 }, () => text(a, everyMac, 'x'.repeat(1000))));
  for (let count = 0; count < times; count++) {
    from.sayBytes(noise);
    if (count % 20 === 0) await until(() => from.socket?.writableLength === 0, 'room');
  }
  // this test may be too slow for the noise itself, and miss the first of them
  await until(() => {
    if (from.socket?.writableLength === 0) from.say(text(a, b, 'the end'));
    return to.got.some(saying('the end'));
  }, 'the end');
}

/** A socket that nobody listens on any more. */
async function abandonedSocket(file: string): Promise<void> {
  const guest = await lab.guest('somebody');
  renameSync(guest.file, file);
  guest.close();
}

describe('a port', () => {
  test('that appears is connected, whether before or after the switch', async () => {
    const early = await lab.guest('early.port');
    const { child } = lab.start();
    await early.connected();
    const late = await lab.guest('late.port');
    await late.connected();
    await reach(early, a, [late]);
    expect(child.exitCode).toBeNull();
  });

  test('in a directory that appears later, or is made again, is connected', async () => {
    rmSync(lab.config.ports, { recursive: true });
    lab.start();
    mkdirSync(lab.config.ports);
    await (await lab.guest('a.port')).connected();
    rmSync(lab.config.ports, { recursive: true });
    mkdirSync(lab.config.ports);
    await (await lab.guest('b.port')).connected();
    expect(existsSync(lab.port('b.port'))).toBe(true);
  });

  test('on which nobody listens yet is tried until somebody does', async () => {
    await abandonedSocket(lab.port('a.port'));
    const process = lab.start();
    await process.said(/network lab/);
    const listening = await lab.guest('b.port');
    await listening.connected();
    const replacing = await lab.guest('hidden');
    renameSync(replacing.file, lab.port('a.port'));
    await replacing.connected();
    await reach(replacing, a, [listening]);
    expect(process.log()).not.toContain('a.port');
  });

  test('that is another one of the same name takes the place of the first', async () => {
    lab.start();
    const { b: other } = await guests('a', 'b');
    const next = await lab.guest('next');
    renameSync(next.file, lab.port('a.port'));
    await next.connected();
    await reach(next, a, [other]);
    expect(other.connections).toBe(1);
  });

  test('whose name was removed works on', async () => {
    lab.start();
    const { a: first, b: other } = await guests('a', 'b');
    rmSync(lab.port('a.port'));
    await (await lab.guest('c.port')).connected(); // the directory was looked at
    other.say(text(b, a, 'still there'));
    await first.hears(saying('still there'));
    expect(first.connections).toBe(1);
  });

  test('ABUSE: that is a link, a file or a directory is refused, and the others are not', async () => {
    const hidden = await lab.guest('hidden');
    symlinkSync(hidden.file, lab.port('link.port'));
    symlinkSync('/nonexistent', lab.port('dangling.port'));
    writeFileSync(lab.port('file.port'), '');
    mkdirSync(lab.port('directory.port'));
    const process = lab.start();
    await (await lab.guest('a.port')).connected();
    for (const name of ['link', 'dangling', 'file', 'directory'])
      await process.said(new RegExp(`${name}\\.port is no socket, and is left alone`));
    expect(hidden.connections).toBe(0);
  });

  test('is connected again when its guest has ended the connection', async () => {
    lab.start();
    const { a: first, b: other } = await guests('a', 'b');
    first.socket?.destroy();
    await until(() => first.connections === 2, 'a second connection');
    await reach(first, a, [other]);
    await reach(other, b, [first]);
    expect(other.connections).toBe(1);
  });

  test.for([0, maxFrameSize + 1, 0xffff_ffff])(
    'ABUSE: that sends the length %i is dropped, and tried again',
    async (size) => {
      const process = lab.start();
      const { a: first, b: other, c: third } = await guests('a', 'b', 'c');
      const bad = Buffer.alloc(1000);
      bad.writeUInt32BE(size);
      first.sayBytes(Buffer.concat([envelop(text(a, b, 'before')), bad]));
      await other.hears(saying('before'));
      await until(() => first.connections === 2, 'a second connection');
      await process.said(/a\.port sent what is no frame/);
      await reach(first, a, [other, third]);
      expect([other.connections, third.connections]).toEqual([1, 1]);
    },
  );

  test('takes frames of all sizes in any pieces', async () => {
    lab.start();
    const { a: first, b: other } = await guests('a', 'b');
    const sizes = [14, 60, 1514, 9014, 65_535, maxFrameSize, 60];
    const frames = sizes.map((size, index) => frame({ from: a, to: b }, 0x88b5, Buffer.alloc(size - 14, index)));
    const bytes = envelop(...frames);
    for (let at = 0; at < bytes.length; at += 7777) {
      first.sayBytes(bytes.subarray(at, at + 7777));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => other.got.length === frames.length, 'all frames');
    expect(Buffer.concat(other.got).equals(Buffer.concat(frames))).toBe(true);
  });
});

describe('a guest that does not read', () => {
  test('ABUSE: disturbs nobody, and costs a bounded amount of memory', async () => {
    const process = lab.start();
    const { a: first, b: other } = await guests('a', 'b');
    const paused = await lab.guest('paused.port', { reads: false });
    await paused.connected();
    const before = memoryKib(process);
    await shout(first, other);
    expect(other.connections).toBe(1);
    expect(memoryKib(process) - before).toBeLessThan(30_000);
    await process.said(/port paused\.port does not take its frames fast enough/);
  });

  test('ABUSE: and neither do three hundred of them, which are told in one line', async () => {
    const process = lab.start();
    const { a: first, b: other } = await guests('a', 'b');
    const paused = await Promise.all(
      Array.from({ length: 300 }, (_, index) => lab.guest(`paused${index}.port`, { reads: false })),
    );
    for (const one of paused) await one.connected();
    const before = memoryKib(process);
    await shout(first, other, 180);
    expect(other.connections).toBe(1);
    // each with a full queue of its own would be 300 MB
    expect(memoryKib(process) - before).toBeLessThan(80_000);
    await process.said(/paused.* more do not take their frames fast enough/);
    const lines = process
      .log()
      .split('\n')
      .filter((line) => line.includes('fast enough'));
    expect(lines.length).toBeLessThan(5);
  });
});

describe('the gateway', () => {
  test('is connected when it is there, gets its frames alone, and may be killed', async () => {
    lab.start();
    const { a: first, b: other } = await guests('a', 'b');
    const gateway = await lab.guest('gateway');
    await gateway.connected();
    const out = ipv4Frame({ from: a, to: gatewayMac, source: '10.44.0.10', destination: '192.0.2.1' });
    await until(() => {
      first.say(text(a, b, 'to b'), out);
      return gateway.got.length > 0;
    }, 'the gateway’s frame');
    expect(gateway.got.every((one) => one.equals(out))).toBe(true);
    gateway.close();
    rmSync(lab.port('gateway'), { force: true });
    first.say(text(a, b, 'without it'));
    await other.hears(saying('without it'));
    first.say(arpFrame({ from: a, to: everyMac, senderIp: '10.44.0.10', targetIp: '10.44.0.1' }));
    await first.hears((one) => one.readUInt16BE(12) === 0x0806, 'ARP');
    const again = await lab.guest('gateway');
    await again.connected();
    expect([first.connections, other.connections]).toEqual([1, 1]);
  });
});

describe('addresses and names', () => {
  const leases = () =>
    (JSON.parse(readFileSync(lab.config.leases, 'utf8')) as { leases: { mac: string; ip: string }[] }).leases;

  test('of members are known as soon as they are written down', async () => {
    lab.writeMember('a', { mac: a, ip: '10.44.0.50', hostName: 'web1' });
    lab.start();
    const { a: first, b: other } = await guests('a', 'b');
    expect(await addressFor(first, a)).toBe('10.44.0.50');
    expect(await addressFor(other, b)).toMatch(/^10\.44\.0\.10\d$/);
    await until(() => leases().length === 2, 'both leases in the file');
    lab.writeMember('c', { mac: c, ip: '10.44.0.60', hostName: 'web3' });
    const third = await lab.guest('c.port');
    await third.connected();
    expect(await addressFor(third, c)).toBe('10.44.0.60');
    const ends = {
      from: a,
      to: dnsMac,
      source: '10.44.0.50',
      destination: '10.44.0.3',
      sourcePort: 9,
      destinationPort: 53,
    };
    first.say(udpFrame({ ...ends, payload: dnsQuestion('web3.lab.test') }));
    const answer = await first.hears((one) => one.readUInt16BE(34) === 53, 'an answer');
    expect(answer.subarray(-4)).toEqual(Buffer.from([10, 44, 0, 60]));
  });

  test('outlive a switch that is killed, and so do the ports', async () => {
    const first = lab.start();
    const { a: one, b: other } = await guests('a', 'b');
    const ip = await addressFor(one, a);
    first.child.kill('SIGKILL');
    expect(await first.end).toBe('SIGKILL');
    const second = lab.start();
    await until(() => one.connections === 2 && other.connections === 2, 'both again');
    await reach(one, a, [other]);
    await second.said(/1 leases known/);
    other.say(dhcpFrame({ mac: b, type: 3, options: [[50, ip?.split('.').map(Number) ?? []]] }));
    expect(dhcpReply(envelop(await other.hears((frameOf) => frameOf.readUInt16BE(36) === 68)))?.type).toBe(6);
    expect(await addressFor(one, a)).toBe(ip);
  });

  test('a damaged file of leases is told, and does not keep it from starting', async () => {
    writeFileSync(lab.config.leases, '{"v":1,');
    const process = lab.start();
    await process.said(/leases\.json is damaged/);
    const { a: first } = await guests('a');
    expect(await addressFor(first, a)).toBeDefined();
    expect(leases()).toHaveLength(1);
  });

  test('ABUSE: member files that are none are told and left out', async () => {
    lab.writeMember('a', { mac: a, ip: '10.44.0.50' });
    for (const [name, content] of Object.entries({
      empty: '',
      array: '[]',
      version: '{"v":2}',
      mac: '{"v":1,"vm":"x","mac":"no"}',
    }))
      writeFileSync(path.join(lab.config.members, `${name}.json`), content);
    symlinkSync('/dev/zero', path.join(lab.config.members, 'zero.json'));
    const process = lab.start();
    const { a: first } = await guests('a');
    expect(await addressFor(first, a)).toBe('10.44.0.50');
    for (const name of ['empty', 'array', 'version', 'mac'])
      await process.said(new RegExp(`${name}\\.json describes no member, and is left out`));
  });
});

describe('the process', () => {
  test('ends at once at SIGTERM', async () => {
    const process = lab.start();
    await guests('a');
    process.child.kill('SIGTERM');
    expect(await process.end).toBe(0);
  });

  test('reads its configuration again at SIGHUP, and when it has changed; a bad one changes nothing', async () => {
    const process = lab.start();
    const { a: first } = await guests('a');
    expect(await addressFor(first, a)).toMatch(/^10\.44\.0\.10\d$/);
    writeFileSync(lab.configFile, 'not JSON');
    process.child.kill('SIGHUP');
    await process.said(/going on as before/);
    expect(await addressFor(first, a)).toMatch(/^10\.44\.0\.10\d$/);
    const { dhcp } = lab.config;
    if (dhcp === undefined) throw new Error('no dhcp');
    lab.writeConfig({ dhcp: { ...dhcp, hosts: [{ mac: a, ip: '10.44.0.70' }] } });
    await process.said(/configuration read again/);
    expect(await addressFor(first, a)).toBe('10.44.0.70');
    expect(first.connections).toBe(1);
  });

  test.for<[string, string]>([
    ['it is no JSON document', 'nonsense'],
    ['it is no JSON document', 'null'],
    ['version 2 is not known', '{"v":2}'],
    ['something is missing in it', '{"v":1,"subnet":"10.0.0.0/24","gateway":"10.0.0.1","dnsServer":"10.0.0.3"}'],
    ['subnet: "x" cannot be used', '{"v":1,"subnet":"x"}'],
    ['gateway: "10.1.0.1" cannot be used', '{"v":1,"subnet":"10.0.0.0/24","gateway":"10.1.0.1"}'],
  ])('says “%s” and ends with 2', async ([why, config]) => {
    writeFileSync(lab.configFile, config);
    const process = lab.start();
    expect(await process.end).toBe(2);
    expect(process.log()).toContain(`cannot use ${lab.configFile}: ${why}`);
  });

  test('without a configuration ends with 2', async () => {
    expect(await lab.start([program]).end).toBe(2);
    expect(await lab.start([program, '/nonexistent']).end).toBe(2);
  });
});
