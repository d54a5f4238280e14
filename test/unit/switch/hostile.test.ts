/** ABUSE: a guest that sends whatever it likes, to a whole switch. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxFrameSize } from '../../../src/switch/frame.ts';
import { maxMacs } from '../../../src/switch/mac-table.ts';
import {
  arpFrame,
  dhcpFrame,
  dnsMac,
  dnsQuestion,
  everyMac,
  frame,
  gatewayMac,
  ipv4Frame,
  ipv6Frame,
  tagged,
  udpFrame,
} from './a-frame.ts';
import { fakeNetwork } from './a-network.ts';
import { runs } from '../quick.ts';

const hostile = '52:54:00:00:00:66';
const victim = '52:54:00:00:00:01';
const at = { from: hostile, to: everyMac };
const udp = { source: '10.44.0.66', destination: '10.44.0.3', sourcePort: 9, destinationPort: 53 };

/** One of each kind that something in the switch looks into. */
const templates: readonly Buffer[] = [
  frame(at, 0x88b5),
  arpFrame({ ...at, senderIp: '10.44.0.66', targetIp: '10.44.0.1' }),
  ipv4Frame({ ...at, source: '10.44.0.66', destination: '10.44.0.50' }),
  ipv4Frame({ from: hostile, to: gatewayMac, source: '10.44.0.66', destination: '192.0.2.1' }),
  udpFrame({ from: hostile, to: dnsMac, ...udp, payload: dnsQuestion('web1.lab.test', 1, { edns: true }) }),
  udpFrame({ from: hostile, to: everyMac, ...udp, sourcePort: 67, destinationPort: 68, payload: Buffer.alloc(250) }),
  dhcpFrame({ mac: hostile, type: 1, options: [[55, [1, 3, 6]]] }),
  dhcpFrame({ mac: hostile, type: 3, options: [[50, [10, 44, 0, 50]]] }),
  ipv6Frame(
    at,
    0,
    Buffer.concat([Buffer.from([58, 0, 0, 0, 0, 0, 0, 0]), Buffer.from([134, 0, 0, 0]), Buffer.alloc(40)]),
  ),
  ipv6Frame(at, 44, Buffer.from([17, 0, 0, 1, 0, 0, 0, 0, 2, 34, 2, 35, 0, 8, 0, 0])),
  ipv6Frame(
    { from: hostile, to: '52:56:00:00:00:00' },
    17,
    Buffer.concat([Buffer.from([9, 9, 0, 53, 0, 8 + 31, 0, 0]), dnsQuestion('web1.lab.test')]),
  ),
  tagged(arpFrame({ ...at, senderIp: '10.44.0.66', targetIp: '10.44.0.1' }), 0),
];

const mutated = fc
  .tuple(
    fc.nat(templates.length - 1),
    fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 5 }),
    fc.option(fc.nat(400)),
    fc.uint8Array({ maxLength: 60 }),
  )
  .map(([index, changes, size, tail]) => {
    const template = templates[index] ?? Buffer.alloc(60);
    const bytes = Buffer.concat([template.subarray(0, size ?? template.length), Buffer.from(tail)]);
    for (const [offset, value] of changes) if (offset < bytes.length) bytes[offset] = value;
    return bytes;
  });
const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const someFrames = fc.array(fc.oneof({ weight: 4, arbitrary: mutated }, { weight: 1, arbitrary: random }), {
  maxLength: 40,
});

function attacked(isolated: boolean, hasDhcp: boolean) {
  const net = fakeNetwork({
    isolated,
    dhcp: hasDhcp && {},
    members: {
      hostile: { vm: 'hostile', mac: hostile, ip: '10.44.0.66' },
      web1: { vm: 'web1', mac: victim, ip: '10.44.0.50' },
    },
  });
  return { ...net, hostile: net.plug('hostile'), web1: net.plug('web1'), gateway: net.gateway() };
}

describe('ABUSE: any frames of a guest', () => {
  test('are never a fault, and are answered with one frame of an ordinary size at most', () => {
    fc.assert(
      fc.property(someFrames, fc.boolean(), fc.boolean(), (frames, isolated, hasDhcp) => {
        const net = attacked(isolated, hasDhcp);
        for (const one of frames) {
          net.hostile.say(one);
          const answers = net.hostile.heard();
          expect(answers.length).toBeLessThanOrEqual(1);
          for (const answer of answers) expect(answer.length).toBeLessThanOrEqual(1514);
          for (const copy of [...net.web1.heard(), ...net.gateway.heard()]) expect(copy).toEqual(one);
        }
        expect(net.hub.knownMacs).toBeLessThanOrEqual(frames.length);
        expect(net.log.lines.length).toBeLessThanOrEqual(60);
      }),
      { numRuns: runs(300) },
    );
  });

  test('never reach others in the name of the gateway or of another VM', () => {
    fc.assert(
      fc.property(someFrames, fc.boolean(), (frames, isolated) => {
        const net = attacked(isolated, true);
        net.hostile.say(...frames);
        for (const one of net.web1.heard()) {
          const source = one.toString('hex', 6, 12);
          expect(source.startsWith('5255') || source.startsWith('5256') || source === victim.replaceAll(':', '')).toBe(
            false,
          );
          if (one.readUInt16BE(12) === 0x0806)
            expect(['0a2c0001', '0a2c0003']).not.toContain(one.toString('hex', 28, 32));
          if (one.readUInt16BE(12) === 0x0800)
            expect(['0a2c0001', '0a2c0003']).not.toContain(one.toString('hex', 26, 30));
        }
        const shown = net.gateway.heard().filter((one) => (one.readUInt8(0) & 1) === 1);
        expect(shown.filter((one) => ![0x0806, 0x86dd].includes(one.readUInt16BE(12)))).toEqual([]);
        const leases = net.dhcp.leases.all;
        expect(leases.filter(({ ip }) => ip === 0x0a2c_0032)).toEqual([]);
      }),
      { numRuns: runs(300) },
    );
  });

  test('the gateway’s own frames are never a fault either', () => {
    fc.assert(
      fc.property(someFrames, fc.boolean(), (frames, isolated) => {
        const net = attacked(isolated, true);
        for (const one of frames) {
          if (one.length >= 12) one.set([0x52, 0x55], 6);
          net.gateway.say(one);
          expect(net.gateway.heard()).toEqual([]);
          expect(net.web1.heard().length).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: runs(200) },
    );
  });
});

test('ABUSE: a guest that invents addresses fills neither the table nor the log, and takes nobody’s place', () => {
  const net = attacked(false, true);
  const fromVictim = ipv4Frame({ from: victim, to: hostile, source: '10.44.0.50', destination: '10.44.0.66' });
  net.web1.say(fromVictim);
  for (let index = 0; index < 20_000; index++) {
    const mac = `02:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`;
    net.hostile.say(frame({ from: mac, to: gatewayMac }, 0x0800), dhcpFrame({ mac, type: 1 }));
  }
  expect(net.hub.knownMacs).toBeLessThanOrEqual(maxMacs);
  expect(net.dhcp.leases.all.length).toBeLessThanOrEqual(11);
  expect(net.log.lines.length).toBeLessThanOrEqual(60);
  net.hostile.heard();
  net.gateway.heard();
  const toVictim = ipv4Frame({ from: hostile, to: victim, source: '10.44.0.66', destination: '10.44.0.50' });
  net.hostile.say(toVictim);
  expect([net.web1.heard(), net.gateway.heard()]).toEqual([[toVictim], []]);
});

test('frames of 64 KiB pass as they are', () => {
  const net = attacked(false, true);
  const big = frame({ from: hostile, to: victim }, 0x88b5, Buffer.alloc(maxFrameSize - 14, 5));
  net.hostile.say(big);
  expect(net.web1.heard()[0]?.equals(big)).toBe(true);
});
