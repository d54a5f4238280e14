/** Who gets which address, for how long, and what guests are told with it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatIpv4, formatMac } from '../../../src/switch/address.ts';
import { DhcpServer, type DhcpSettings } from '../../../src/switch/dhcp.ts';
import { parseDhcpRequest } from '../../../src/switch/dhcp-message.ts';
import { createLeaseFile, parseLeases, renderLeases } from '../../../src/switch/lease-file.ts';
import { LeaseTable, maxLeases, type Lease } from '../../../src/switch/lease-table.ts';
import { address, dhcpDatagram, dhcpPayload, dhcpReply, ipOf, macOf, type DhcpText } from './a-frame.ts';
import { dhcpSettings, keptLog } from './a-network.ts';
import { runs } from '../quick.ts';

const discover = 1;
const request = 3;
const decline = 4;
const release = 7;
const inform = 8;
const wanted = (ip: string) => [50, address(ip)] as const;
const chosen = (ip = '10.44.0.1') => [54, address(ip)] as const;
const mac = (number: number): string => formatMac(0x5254_0000_0000 + number);

interface Fixed {
  readonly mac: string;
  readonly ip: string;
  readonly name?: string;
}
const fixed = ({ mac: text, ip, name }: Fixed) => ({
  mac: macOf(text),
  ip: ipOf(ip),
  ...(name !== undefined && { hostName: name }),
});

function aServer(more: Partial<DhcpSettings> = {}, members: readonly Fixed[] = []) {
  const log = keptLog();
  let changes = 0;
  const settings = dhcpSettings(more);
  const server = new DhcpServer(settings, log, () => (changes += 1));
  server.update(settings, members.map(fixed));
  const say = (text: DhcpText, nowS = 0) => dhcpReply(server.answer(dhcpDatagram(text), nowS));
  /** The whole of it; gives the address. */
  const lease = (one: string, nowS = 0, more: Partial<DhcpText> = {}): string | undefined => {
    const offer = say({ mac: one, type: discover, ...more }, nowS);
    if (offer === undefined) return undefined;
    const { options = [] } = more;
    const ack = say({ mac: one, type: request, ...more, options: [wanted(offer.yourIp), chosen(), ...options] }, nowS);
    return ack?.type === 5 ? ack.yourIp : undefined;
  };
  return { log, server, settings, say, lease, changes: () => changes };
}

describe('a guest that is a member', () => {
  const web1 = { mac: mac(1), ip: '10.44.0.50', name: 'web1' };

  test('gets its own address, whatever it asks for', () => {
    const { say, lease } = aServer({}, [web1]);
    expect(lease(web1.mac)).toBe('10.44.0.50');
    expect(say({ mac: web1.mac, type: discover, options: [wanted('10.44.0.105')] })).toMatchObject({
      type: 2,
      yourIp: '10.44.0.50',
    });
    expect(say({ mac: web1.mac, type: request, options: [wanted('10.44.0.105')] })).toMatchObject({
      type: 6,
      yourIp: '0.0.0.0',
    });
  });

  test('gets it although somebody else had it, who is told no', () => {
    const { server, settings, say, lease } = aServer();
    const got = lease(mac(9)) ?? '';
    server.update(settings, [fixed({ mac: mac(1), ip: got })]);
    expect(say({ mac: mac(9), type: request, clientIp: got })).toMatchObject({ type: 6 });
    expect(lease(mac(1))).toBe(got);
    expect(lease(mac(9))).not.toBe(got);
  });

  test('is told its name, and gets its address outside of all ranges too', () => {
    const { say } = aServer({ hosts: [fixed({ mac: mac(2), ip: '10.44.0.200', name: 'printer' })] }, [web1]);
    expect(say({ mac: mac(2), type: discover })).toMatchObject({ yourIp: '10.44.0.200' });
    expect(
      say({ mac: mac(2), type: discover })
        ?.options.get(12)
        ?.toString(),
    ).toBe('printer');
    expect(say({ mac: web1.mac, type: discover })?.options.get(12)?.toString()).toBe('web1');
  });

  test('an address that two have, or that is not of the subnet, is left out and told', () => {
    const { log, lease } = aServer({}, [
      web1,
      { mac: mac(2), ip: '10.44.0.50' },
      { mac: mac(3), ip: '10.45.0.1' },
      { mac: web1.mac, ip: '10.44.0.51' },
    ]);
    expect(log.lines.map((line) => line.replace(/^.*switch: /, '').trim())).toEqual([
      `left out: 10.44.0.50 for ${mac(2)} is another one's`,
      `left out: 10.45.0.1 for ${mac(3)} is not in the subnet`,
      `left out: 10.44.0.51 for ${web1.mac} is a second address`,
    ]);
    expect(lease(mac(2))).toMatch(/^10\.44\.0\.10\d$/);
    expect(lease(web1.mac)).toBe('10.44.0.50');
  });
});

describe('a guest that nobody knows', () => {
  test('gets an address of a range that is nobody’s, and the same one again', () => {
    const reserved = ['10.44.0.100', '10.44.0.101', '10.44.0.102'].map(ipOf);
    const { lease } = aServer({ reserved }, [{ mac: mac(1), ip: '10.44.0.103' }]);
    const all = Array.from({ length: 6 }, (_, index) => lease(mac(10 + index)));
    expect(new Set(all).size).toBe(6);
    expect(all.map(String).toSorted()).toEqual([4, 5, 6, 7, 8, 9].map((last) => `10.44.0.10${last}`));
    expect(Array.from({ length: 6 }, (_, index) => lease(mac(10 + index), 100_000))).toEqual(all);
  });

  test('gets the same address of a switch that remembers nothing', () => {
    expect(aServer().lease(mac(77))).toBe(aServer().lease(mac(77)));
  });

  test('gets the address that it wishes for, if that is free', () => {
    const { lease } = aServer();
    expect(lease(mac(1), 0, { options: [] })).toBeDefined();
    const { say } = aServer();
    expect(say({ mac: mac(2), type: discover, options: [wanted('10.44.0.107')] })?.yourIp).toBe('10.44.0.107');
    expect(say({ mac: mac(3), type: discover, options: [wanted('10.44.0.107')] })?.yourIp).not.toBe('10.44.0.107');
    expect(say({ mac: mac(4), type: discover, options: [wanted('10.44.0.20')] })?.yourIp).toMatch(/10\d$/);
  });

  test('may keep an address that it still has when the switch begins anew', () => {
    const { say } = aServer();
    expect(say({ mac: mac(1), type: request, options: [wanted('10.44.0.105')] })).toMatchObject({
      type: 5,
      yourIp: '10.44.0.105',
    });
    expect(say({ mac: mac(2), type: request, clientIp: '10.44.0.105' })).toMatchObject({ type: 6 });
    expect(say({ mac: mac(3), type: request, options: [wanted('192.168.1.7')] })).toMatchObject({ type: 6 });
    expect(say({ mac: mac(3), type: request, options: [wanted('10.44.0.1')] })).toMatchObject({ type: 6 });
  });

  test('gets nothing when all is leased, which is told once; then what ran out first', () => {
    const { lease, say, log } = aServer();
    const all = Array.from({ length: 10 }, (_, index) => lease(mac(index), index));
    expect(new Set(all).size).toBe(10);
    expect(say({ mac: mac(50), type: discover }, 100)).toBeUndefined();
    expect(say({ mac: mac(51), type: discover }, 100)).toBeUndefined();
    expect(log.lines).toHaveLength(1);
    expect(lease(mac(50), 3603)).toBe(all[0]);
    expect(lease(mac(51), 3603)).toBe(all[1]);
    expect(say({ mac: mac(0), type: request, clientIp: all[0] ?? '' }, 3604)).toMatchObject({ type: 6 });
  });

  test('gets nothing from a network without ranges', () => {
    const { say } = aServer({ ranges: [] });
    expect(say({ mac: mac(1), type: discover })).toBeUndefined();
  });

  test('an offer is kept for it for a moment', () => {
    const { say, changes } = aServer({ ranges: [{ from: ipOf('10.44.0.100'), to: ipOf('10.44.0.100') }] });
    expect(say({ mac: mac(1), type: discover })?.yourIp).toBe('10.44.0.100');
    expect(say({ mac: mac(2), type: discover }, 29)).toBeUndefined();
    expect(say({ mac: mac(2), type: discover }, 31)?.yourIp).toBe('10.44.0.100');
    expect(changes()).toBe(0);
  });

  test('whose lease ends while it asks anew keeps its name', () => {
    const { lease, say, server } = aServer();
    const ip = lease(mac(1), 0, { options: [[12, 'db']] });
    expect(say({ mac: mac(1), type: discover }, 3590)?.yourIp).toBe(ip);
    expect(server.leases.all).toMatchObject([{ hostName: 'db', isOffer: false, expiresS: 3620 }]);
  });

  test('that took another server’s offer is left alone', () => {
    const { say, server } = aServer();
    expect(say({ mac: mac(1), type: request, options: [wanted('10.44.0.105'), chosen('10.44.0.77')] })).toBeUndefined();
    expect(server.leases.all).toEqual([]);
  });

  test('that gives its address back gets it again, and others get it last', () => {
    const { lease, say, server } = aServer();
    const first = lease(mac(1)) ?? '';
    say({ mac: mac(1), type: release, clientIp: first }, 5);
    expect(server.leases.ofMac(macOf(mac(1)))?.expiresS).toBe(5);
    const others = Array.from({ length: 9 }, (_, index) => lease(mac(20 + index), 10));
    expect(others).not.toContain(first);
    expect(lease(mac(1), 20)).toBe(first);
  });

  test('cannot give back or decline what is not its own', () => {
    const { lease, say, server } = aServer();
    const first = lease(mac(1)) ?? '';
    say({ mac: mac(2), type: release, clientIp: first });
    say({ mac: mac(2), type: decline, options: [wanted(first)] });
    expect(server.leases.all).toMatchObject([{ mac: macOf(mac(1)), expiresS: 3600 }]);
  });

  test('that finds its address in use gets another one, and nobody gets that one for a while', () => {
    const { lease, say, log } = aServer();
    const first = lease(mac(1)) ?? '';
    say({ mac: mac(1), type: decline, options: [wanted(first)] });
    expect(log.lines[0]).toContain('in use by somebody else');
    const all = Array.from({ length: 10 }, (_, index) => lease(mac(1 + index), 1));
    expect(all).not.toContain(first);
    expect(all.filter((ip) => ip !== undefined)).toHaveLength(9);
    expect(lease(mac(10), 700)).toBe(first);
  });
});

describe('what a guest is told', () => {
  test('by default', () => {
    const reply = aServer({ mtu: 1400, domain: 'lab.test', search: ['lab.test', 'example.org'] }).say({
      mac: mac(1),
      type: discover,
    });
    expect(
      Object.fromEntries([...(reply?.options ?? [])].map(([code, value]) => [code, value.toString('hex')])),
    ).toEqual({
      53: '02',
      54: '0a2c0001',
      51: '00000e10',
      58: '00000708',
      59: '00000c4e',
      1: 'ffffff00',
      3: '0a2c0001',
      6: '0a2c0003',
      26: '0578',
      28: '0a2c00ff',
      15: Buffer.from('lab.test').toString('hex'),
      119: `036c6162047465737400${'076578616d706c65036f726700'}`,
    });
  });

  test('without a way out there is no router', () => {
    expect(
      aServer({ isolated: true })
        .say({ mac: mac(1), type: discover })
        ?.options.has(3),
    ).toBe(false);
  });

  test('what is written down stands in place of ours; long values are cut and put together', () => {
    const long = Buffer.alloc(300, 7);
    const reply = aServer({
      options: [
        { code: 42, value: address('10.44.0.1') },
        { code: 6, value: address('9.9.9.9') },
        { code: 224, value: long },
      ],
    }).say({
      mac: mac(1),
      type: discover,
      options: [[57, [5, 220]]],
    });
    expect(reply?.options.get(42)).toEqual(address('10.44.0.1'));
    expect(reply?.options.get(6)).toEqual(address('9.9.9.9'));
    expect(reply?.options.get(224)).toEqual(long);
  });

  test('a client with little room gets what it asked for first, and never more than it takes', () => {
    const options = Array.from({ length: 40 }, (_, index) => ({ code: 130 + index, value: Buffer.alloc(20, index) }));
    const reply = aServer({ options }).say({ mac: mac(1), type: discover, options: [[55, [169, 6]]] });
    expect(reply?.payload.length).toBeLessThanOrEqual(548);
    expect(reply?.options.has(169)).toBe(true);
    expect(reply?.options.has(168)).toBe(false);
    expect(reply?.options.has(6)).toBe(true);
    expect([...(reply?.options.keys() ?? [])].slice(0, 2)).toEqual([53, 54]);
  });

  test('where the file to boot is', () => {
    const reply = aServer({ tftp: { server: '10.44.0.1', ip: ipOf('10.44.0.1'), file: 'pxelinux.0' } }).say({
      mac: mac(1),
      type: discover,
    });
    expect(reply?.payload.subarray(20, 24)).toEqual(address('10.44.0.1'));
    expect(reply?.payload.toString('latin1', 108, 119)).toBe('pxelinux.0\0');
    expect([reply?.options.get(66)?.toString(), reply?.options.get(67)?.toString()]).toEqual([
      '10.44.0.1',
      'pxelinux.0',
    ]);
  });

  test.for([
    [undefined, 3600],
    [600, 600],
    [1, 60],
    [0, 60],
    [0xffff_ffff, 7200],
  ] as const)('who asks for %s seconds gets %i', ([asked, got]) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(asked ?? 0);
    const reply = aServer().say({ mac: mac(1), type: discover, options: asked === undefined ? [] : [[51, bytes]] });
    expect(reply?.options.get(51)?.readUInt32BE(0)).toBe(got);
  });

  test('its own identifier again', () => {
    const id = Buffer.from('01525400000001', 'hex');
    const { say } = aServer();
    expect(say({ mac: mac(1), type: discover, options: [[61, id]] })?.options.get(61)).toEqual(id);
    expect(say({ mac: mac(1), type: request, options: [wanted('10.0.0.9'), [61, id]] })).toMatchObject({
      type: 6,
      options: expect.objectContaining({}),
    });
  });

  test('at an address that it hears: its own, the new one, or everybody’s', () => {
    const { say } = aServer();
    const everybody = { toMac: 0xffff_ffff_ffff, toIp: 0xffff_ffff };
    const offer = say({ mac: mac(1), type: discover });
    expect(offer).toMatchObject({ toMac: macOf(mac(1)), toIp: ipOf(offer?.yourIp ?? '') });
    expect(say({ mac: mac(1), type: discover, broadcast: true })).toMatchObject(everybody);
    expect(say({ mac: mac(1), type: request, clientIp: offer?.yourIp ?? '' })).toMatchObject({
      type: 5,
      toMac: macOf(mac(1)),
      toIp: ipOf(offer?.yourIp ?? ''),
    });
    expect(say({ mac: mac(2), type: request, clientIp: offer?.yourIp ?? '' })).toMatchObject({ type: 6, ...everybody });
  });

  test('without an address, if it has one and only asks', () => {
    const { say, server } = aServer();
    const reply = say({ mac: mac(1), type: inform, clientIp: '10.44.0.77' });
    expect(reply).toMatchObject({ type: 5, yourIp: '0.0.0.0', toIp: ipOf('10.44.0.77') });
    expect([reply?.options.has(51), reply?.options.has(3)]).toEqual([false, true]);
    expect(say({ mac: mac(1), type: inform, clientIp: '192.0.2.1' })).toBeUndefined();
    expect(server.leases.all).toEqual([]);
  });
});

describe('ABUSE: requests that are none', () => {
  test.for<[string, Partial<DhcpText> | ((payload: Buffer) => Buffer)]>([
    ['through a relay', { relay: '10.44.0.9' }],
    ['without a type', (payload) => payload.fill(0, 240)],
    ['an unknown type', { type: 99 }],
    ['of a server', { type: 2 }],
    ['an answer', (payload) => payload.fill(2, 0, 1)],
    ['of another kind of network', (payload) => payload.fill(6, 1, 2)],
    ['of a longer address', (payload) => payload.fill(16, 2, 3)],
    ['without the cookie', (payload) => payload.fill(0, 236, 240)],
    ['without options', (payload) => payload.subarray(0, 239)],
    [
      'with an option behind the end',
      (payload) => Buffer.concat([payload.subarray(0, -1), Buffer.from([12, 200, 65])]),
    ],
    ['with half an option', (payload) => Buffer.concat([payload.subarray(0, -1), Buffer.from([12])])],
    ['of a group', (payload) => payload.fill(1, 28, 29)],
    ['of nobody', (payload) => payload.fill(0, 28, 34)],
    ['for somebody else', (payload) => payload.fill(9, 33, 34)],
  ])('%s', ([, change]) => {
    const { server } = aServer();
    const datagram = dhcpDatagram({ mac: mac(1), type: discover, ...(typeof change === 'function' ? {} : change) });
    const payload = typeof change === 'function' ? change(datagram.payload) : datagram.payload;
    expect(server.answer({ ...datagram, payload }, 0)).toBeUndefined();
    expect(server.leases.all).toEqual([]);
  });

  test('names that are no names, or not a guest’s to take, are forgotten', () => {
    const { lease, server } = aServer();
    const nameOf = (said: string | Buffer): string | undefined => {
      lease(mac(1), 0, { options: [[12, said]] });
      return server.leases.ofMac(macOf(mac(1)))?.hostName;
    };
    expect(nameOf('WEB-9')).toBe('web-9');
    expect(nameOf('db.example.org')).toBe('db');
    expect(nameOf('nul\0')).toBe('nul');
    const { lease: other, server: fresh } = aServer();
    const bad = ['wpad', 'localhost', 'gateway', '-x', 'a b', '', '..', 'x'.repeat(64), 'ü', '\u001b[31m', '../../etc'];
    for (const [index, said] of bad.entries()) other(mac(index), index * 10_000, { options: [[12, said]] });
    expect(fresh.leases.all.map(({ hostName }) => hostName)).toEqual(fresh.leases.all.map(() => undefined));
  });
});

const words = fc.record({
  mac: fc.nat(40).map(mac),
  type: fc.constantFrom(discover, request, decline, release, inform),
  clientIp: fc.constantFrom('0.0.0.0', '10.44.0.50', '10.44.0.100', '10.44.0.104', '10.44.0.1', '10.99.0.1'),
  broadcast: fc.boolean(),
  options: fc.array(
    fc.oneof(
      fc.nat(120).map((last) => wanted(`10.44.0.${last}`)),
      fc.constant(chosen()),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => [12, Buffer.from(bytes)] as const),
      fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => [51, Buffer.from(bytes)] as const),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => [55, Buffer.from(bytes)] as const),
      fc.uint8Array({ minLength: 2, maxLength: 2 }).map((bytes) => [57, Buffer.from(bytes)] as const),
    ),
    { maxLength: 6 },
  ),
  laterS: fc.constantFrom(0, 0, 1, 40, 3700, 90_000),
});

describe('ABUSE: whatever guests send', () => {
  const members = [
    { mac: mac(0), ip: '10.44.0.50' },
    { mac: mac(1), ip: '10.44.0.104' },
  ];
  const reserved = ['10.44.0.102', '10.44.0.103'];
  const others = [0, 1, 5, 6, 7, 8, 9].map((last) => `10.44.0.10${last}`);

  test('no address is two guests’, none is given that may not be, and the table has an end', () => {
    fc.assert(
      fc.property(fc.array(words, { maxLength: 150 }), (conversation) => {
        const { server, say } = aServer({ reserved: reserved.map(ipOf) }, members);
        /** What guests were promised: address → MAC and until when. */
        const promised = new Map<string, { readonly mac: string; readonly untilS: number }>();
        let nowS = 0;
        for (const { laterS, ...word } of conversation) {
          nowS += laterS;
          const reply = say(word, nowS);
          expect(reply?.payload.length ?? 0).toBeLessThanOrEqual(1472);
          const own = members.find((one) => one.mac === word.mac)?.ip;
          const { yourIp = '0.0.0.0', type } = reply ?? {};
          if (yourIp !== '0.0.0.0') expect(own === undefined ? others : [own]).toContain(yourIp);
          if (type === 5 && yourIp !== '0.0.0.0') {
            const before = promised.get(yourIp);
            if (before !== undefined && before.untilS > nowS) expect(before.mac).toBe(word.mac);
            promised.set(yourIp, { mac: word.mac, untilS: nowS + (reply?.options.get(51)?.readUInt32BE(0) ?? 0) });
          }
          if (word.type === release || word.type === decline)
            for (const [ip, one] of promised) if (one.mac === word.mac) promised.delete(ip);
          const all = server.leases.all;
          expect(new Set(all.map(({ ip }) => ip)).size).toBe(all.length);
          expect(all.length).toBeLessThanOrEqual(others.length + members.length);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('any bytes are read without a fault', () => {
    const whole = dhcpPayload({
      mac: mac(1),
      type: discover,
      options: [wanted('10.44.0.105'), [12, 'x'], [55, [1, 2, 3]]],
    });
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 8 });
    fc.assert(
      fc.property(changes, fc.nat(whole.length), fc.uint8Array({ maxLength: 30 }), (changed, size, tail) => {
        const bytes = Buffer.concat([whole.subarray(0, size), Buffer.from(tail)]);
        for (const [offset, value] of changed) if (offset < bytes.length) bytes[offset] = value;
        parseDhcpRequest(bytes);
        const { server } = aServer();
        const answer = server.answer({ ...dhcpDatagram({ mac: mac(1), type: discover }), payload: bytes }, 0);
        expect(answer?.length ?? 0).toBeLessThanOrEqual(1518);
      }),
      { numRuns: runs(500) },
    );
  });
});

describe('the table of leases', () => {
  const lease = (number: number, expiresS: number): Lease => ({ mac: number, ip: number, expiresS, isOffer: false });

  test('one address for a MAC, one MAC for an address, in an order that renewing does not change', () => {
    const table = new LeaseTable();
    table.set(lease(1, 40), 0);
    table.set(lease(2, 10), 0);
    table.set({ ...lease(1, 50), ip: 3 }, 20);
    table.set({ ...lease(4, 50), ip: 2 }, 20);
    expect(table.all.map(({ mac: one, ip }) => [one, ip])).toEqual([
      [1, 3],
      [4, 2],
    ]);
    expect([table.holder(1, 20), table.holder(2, 20), table.holder(3, 20)]).toEqual([undefined, 4, 1]);
  });

  test('has an end: what ran out goes first, and what runs is never pushed out', () => {
    const table = new LeaseTable();
    for (let number = 1; number <= maxLeases; number++)
      expect(table.set(lease(number, 1000 - (number === 7 ? 1 : 0)), 0)).toBe(true);
    expect(table.set(lease(99_999, 5000), 500)).toBe(false);
    expect(table.set(lease(99_999, 5000), 2000)).toBe(true);
    expect(table.all).toHaveLength(maxLeases);
    expect(table.ofMac(7)).toBeUndefined();
  });
});

describe('the file of leases', () => {
  let directory = '';
  beforeEach(() => (directory = mkdtempSync(path.join(os.tmpdir(), 'qrun-leases-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const inTheRange: Lease = {
    mac: macOf(mac(1)),
    ip: ipOf('10.44.0.105'),
    hostName: 'web9',
    expiresS: 1000,
    isOffer: false,
  };

  test('is read as it was written, without offers and what is long over', () => {
    const old = { ...inTheRange, mac: 3, ip: 3, expiresS: -30 * 24 * 3600 - 1 };
    const text = renderLeases([inTheRange, { ...inTheRange, mac: 2, ip: 2, isOffer: true }, old], 0);
    expect(JSON.parse(text)).toEqual({
      v: 1,
      leases: [{ mac: mac(1), ip: '10.44.0.105', hostName: 'web9', expires: 1000 }],
    });
    expect(parseLeases(text)).toEqual([inTheRange]);
  });

  test.for(['', '{', 'null', '[]', '{"v":2,"leases":[]}', '{"v":1}', '{"v":1,"leases":{}}'])('%j is none', (text) => {
    expect(parseLeases(text)).toBeUndefined();
  });

  test('what is not understood in it is left out, and so is what is not allowed any more', () => {
    const entries: unknown[] = [
      null,
      7,
      {},
      { mac: 'x', ip: '10.44.0.105', expires: 5 },
      { mac: mac(1), ip: '10.44.0.105' },
      { mac: mac(2), ip: '10.44.0.106', expires: 1e300, hostName: '../x' },
      { mac: mac(3), ip: '10.44.0.1', expires: 5 },
    ];
    const leases = parseLeases(JSON.stringify({ v: 1, leases: entries })) ?? [];
    expect(leases.map((one) => formatIpv4(one.ip))).toEqual(['10.44.0.106', '10.44.0.1']);
    const { server } = aServer();
    server.restore(leases, 0);
    expect(server.leases.all).toEqual([
      { mac: macOf(mac(2)), ip: ipOf('10.44.0.106'), expiresS: 1e300, isOffer: false },
    ]);
  });

  test('a lease outlives the switch', () => {
    const first = aServer();
    const ip = first.lease(mac(5), 0, { options: [[12, 'db']] });
    const again = aServer();
    again.server.restore(parseLeases(renderLeases(first.server.leases.all, 0)) ?? [], 0);
    expect(again.server.leases.all).toMatchObject([{ hostName: 'db' }]);
    expect(again.say({ mac: mac(6), type: discover, options: [wanted(ip ?? '')] })?.yourIp).not.toBe(ip);
    expect(again.lease(mac(5))).toBe(ip);
  });

  test('is written at once, private and as a whole; a place that cannot be written is told once', () => {
    const log = keptLog();
    const file = path.join(directory, 'leases.json');
    const lease = { ...inTheRange, expiresS: Math.floor(Date.now() / 1000) };
    const good = createLeaseFile({ file, log, leases: () => [lease] });
    good.changed();
    expect(parseLeases(readFileSync(file, 'utf8'))).toEqual([lease]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    good.changed();
    rmSync(file);
    good.finish();
    expect(readdirSync(directory)).toEqual(['leases.json']);
    writeFileSync(path.join(directory, 'not-a-directory'), '');
    const bad = createLeaseFile({ file: path.join(directory, 'not-a-directory', 'x'), log, leases: () => [] });
    bad.changed();
    bad.changed();
    bad.finish();
    expect(log.lines).toHaveLength(1);
  });
});
