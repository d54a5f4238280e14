/** What a guest may put on the wire of its network, frame by frame: made by hand, for what a kernel would not send. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { RulesetInput } from '../../src/network/bridged/ruleset.ts';
import { linkLocalOf } from '../../src/network/bridged/port-rules.ts';
import { isRoot, needsFile, needsRoot, Running, waitUntil } from '../harness/harness.ts';
import {
  arp,
  frame,
  hex,
  neighbourAdvert,
  neighbourSolicit,
  octal,
  redirect,
  routerAdvert,
  routerSolicit,
  snap,
  udp4,
  udp6,
  type Payload,
} from './a-frame.ts';
import { createRulesHost, macOf, type PartyName, type RulesHost } from './a-rules-host.ts';

let host: RulesHost;
const listeners = {} as Record<'g2' | 'host', Running>;
beforeAll(async () => {
  if (!isRoot()) return;
  host = await createRulesHost();
  const listen = (party: 'g2' | 'host', device: string): Running =>
    new Running(
      host.parties[party].namespace.wrap(['socat', '-u', '-x', '-d', '-d', `INTERFACE:${device}`, '/dev/null']),
      {
        env: { PATH: '/usr/bin:/bin' },
        cwd: '/',
        timeoutMs: 600_000,
      },
    );
  Object.assign(listeners, { g2: listen('g2', 'eth0'), host: listen('host', 'qr-lan0') });
  await Promise.all(Object.values(listeners).map((one) => one.waitFor(/starting data transfer loop/)));
  // while an address is looked for, who claims it has it
  const tentative = (party: PartyName): string => host.parties[party].must('ip -6 address show tentative');
  expect(await waitUntil(() => tentative('g1') + tentative('g2') === '', 60_000)).toBe(true);
});
afterEach(async () => {
  if (isRoot()) await host.release();
});
afterAll(async () => {
  if (!isRoot()) return;
  for (const one of Object.values(listeners)) one.kill('SIGKILL');
  await host.dispose();
});

const bridgeMac = '02:00:00:66:00:01';
const input: RulesetInput = {
  table: 'qrun_lan0',
  bridge: 'qr-lan0',
  bridgeMac,
  mode: 'nat',
  nat: { ipv6: true },
  subnets: ['10.66.0.0/24', 'fd66::/64'],
  addresses: ['10.66.0.1', 'fd66::1'],
  forwards: [],
  asks: { dhcp: true, dns: true, tftp: false },
};
const devices = (['g1', 'g2'] as const).map((name) => ({ device: `qr-${name}`, name }));
const guarded: RulesetInput = { ...input, ports: devices.map(({ device }) => ({ device })) };
const locked: RulesetInput = {
  ...input,
  ports: devices.map(({ device, name }, at) => ({
    device,
    mac: macOf(name),
    ips: [`10.66.0.1${at + 1}`, `fd66::1${at + 1}`],
  })),
};

const [own, other] = [macOf('g1'), macOf('g2')];
const [ownLink, otherLink, gatewayLink] = [linkLocalOf(own), linkLocalOf(other), linkLocalOf(bridgeMac)];
/** Of no MAC (RFC 7217). */
const madeUpLink = 'fe80::8d2c:51a7:90e4:3b6f';
const broadcast = 'ff:ff:ff:ff:ff:ff';
const allNodes = { mac: '33:33:00:00:00:01', ip: 'ff02::1' };

interface Sent {
  readonly payload: (mark: readonly number[]) => Payload;
  readonly to?: string;
  readonly from?: string;
  readonly tags?: readonly (readonly [number, number])[];
}

let sent = 0;
/** Puts them all on the wire of g1. @returns by name: who saw it, of g2 and the host */
async function seenOf(frames: Readonly<Record<string, Sent>>): Promise<Record<string, string>> {
  const marks = Object.fromEntries(
    Object.keys(frames).map((name) => {
      sent += 1;
      return [name, [0xa5, 0x5a, 0xc3, sent >> 8, sent & 0xff, 0x3c]] as const;
    }),
  );
  const send = (bytes: readonly number[]): string => `printf '%b' '${octal(bytes)}' | socat -u - INTERFACE:eth0`;
  // the last one passes everything, and tells that the others have been
  sent += 1;
  const end = [0xa5, 0x5a, 0xe1, sent >> 8, sent & 0xff, 0x3c];
  const lines = Object.entries(frames).map(([name, { payload, to = allNodes.mac, from = own, tags = [] }]) =>
    send(frame({ to, from, tags }, payload(marks[name] ?? []))),
  );
  const last = arp({ operation: 'request', mac: own, ip: '10.66.0.11', target: '10.66.0.12', mark: end });
  const script = [...lines, send(frame({ to: broadcast, from: own }, last))].join('\n');
  const { status, stderr } = host.parties.g1.namespace.run(['sh', '-ec', script]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const textOf = (party: 'g2' | 'host'): string => listeners[party].stderr.replaceAll(/^.*socat.*$|[\s>]/gm, '');
  const ended = (party: 'g2' | 'host'): boolean => textOf(party).includes(hex(end));
  expect(await waitUntil(() => ended('g2') && ended('host'), 60_000)).toBe(true);
  const texts = { g2: textOf('g2'), host: textOf('host') };
  return Object.fromEntries(
    Object.keys(frames).map((name) => {
      const who = (['g2', 'host'] as const).filter((party) => texts[party].includes(hex(marks[name] ?? [])));
      return [name, who.join(' ') || 'nobody'];
    }),
  );
}

const everywhere = { from: ownLink, to: allNodes.ip, mac: own };
const offer = (mark: readonly number[]): Payload =>
  udp4({ from: '10.66.0.11', to: '255.255.255.255', ports: [67, 68], data: mark });
const offer6 = (mark: readonly number[]): Payload =>
  udp6({ from: ownLink, to: allNodes.ip, ports: [547, 546], data: mark });
const advert = (mark: readonly number[]): Payload => routerAdvert({ ...everywhere, mark });

const sixteen = (mark: readonly number[]): readonly number[] => [
  ...mark,
  ...Array.from({ length: 16 - mark.length }, () => 0),
];

const rogue: Readonly<Record<string, Sent>> = {
  'router advertisement': { payload: advert },
  'router advertisement behind options': { payload: (mark) => routerAdvert({ ...everywhere, mark, options: true }) },
  'router advertisement in a priority tag': { payload: advert, tags: [[0x8100, 0]] },
  'router advertisement in a priority tag of 802.1ad': { payload: advert, tags: [[0x88a8, 0]] },
  'router advertisement in two priority tags': {
    payload: advert,
    tags: [
      [0x8100, 0],
      [0x8100, 0],
    ],
  },
  // 802.1ad before it was a standard
  'router advertisement in a priority tag of 0x9100': { payload: advert, tags: [[0x9100, 0]] },
  'router advertisement in 802.2': { payload: (mark) => snap(advert(mark)) },
  'DHCP offer in 802.2': { payload: (mark) => snap(offer(mark)), to: broadcast },
  redirect: { payload: (mark) => redirect({ ...everywhere, mark }, 'fd66::12') },
  'DHCP offer': { payload: offer, to: broadcast },
  'DHCP offer in a priority tag': { payload: offer, to: broadcast, tags: [[0x8100, 7 << 13]] },
  'DHCPv6 reply': { payload: offer6 },
  'DHCPv6 reply in a priority tag': { payload: offer6, tags: [[0x8100, 0]] },
};

const honest: Readonly<Record<string, Sent>> = {
  'router solicitation': {
    payload: (mark) => routerSolicit({ ...everywhere, to: 'ff02::2', mark }),
    to: '33:33:00:00:00:02',
  },
  'neighbour solicitation': { payload: (mark) => neighbourSolicit({ ...everywhere, mark }, 'fd66::12') },
  'neighbour advertisement': { payload: (mark) => neighbourAdvert({ ...everywhere, mark }, 'fd66::11') },
  'neighbour advertisement of its link-local address': {
    payload: (mark) => neighbourAdvert({ ...everywhere, mark }, ownLink),
  },
  'link-local address that follows from no MAC': {
    payload: (mark) => udp6({ from: madeUpLink, to: allNodes.ip, ports: [9, 9], data: mark }),
  },
  'neighbour advertisement of one that follows from no MAC': {
    payload: (mark) => neighbourAdvert({ ...everywhere, from: madeUpLink, mark }, madeUpLink),
  },
  'neighbour solicitation for the link-local address of another': {
    payload: (mark) => neighbourSolicit({ ...everywhere, mark }, otherLink),
  },
  'address that it looks whether anybody has': {
    payload: (mark) => neighbourSolicit({ ...everywhere, from: '::', mark }, 'fd66::11'),
  },
  'DHCPv6 solicit': { payload: (mark) => udp6({ from: ownLink, to: 'ff02::1:2', ports: [546, 547], data: mark }) },
  ARP: {
    payload: (mark) => arp({ operation: 'request', mac: own, ip: '10.66.0.11', target: '10.66.0.12', mark }),
    to: broadcast,
  },
  'ARP probe': {
    payload: (mark) => arp({ operation: 'request', mac: own, ip: '0.0.0.0', target: '10.66.0.11', mark }),
    to: broadcast,
  },
  'ARP announcement': {
    payload: (mark) => arp({ operation: 'reply', mac: own, ip: '10.66.0.11', target: '10.66.0.11', mark }),
    to: broadcast,
  },
  datagram: {
    payload: (mark) => udp4({ from: '10.66.0.11', to: '255.255.255.255', ports: [9, 9], data: mark }),
    to: broadcast,
  },
  'datagram of IPv6': { payload: (mark) => udp6({ from: 'fd66::11', to: allNodes.ip, ports: [9, 9], data: mark }) },
};
const chaddr = (mac: readonly number[], mark: readonly number[]): readonly number[] => [
  ...[1, 1, 6, 0, 1, 2, 3, 4, ...Array.from({ length: 20 }, () => 0)],
  ...[...mac, ...Array.from({ length: 10 }, () => 0), ...mark],
];
const macBytes = (mac: string): readonly number[] => mac.split(':').map((octet) => Number.parseInt(octet, 16));
const discover = (mac: string): Sent => ({
  payload: (mark) =>
    udp4({ from: '0.0.0.0', to: '255.255.255.255', ports: [68, 67], data: chaddr(macBytes(mac), mark) }),
  to: broadcast,
});

const spoofed: Readonly<Record<string, Sent>> = {
  'MAC of another': {
    payload: (mark) => udp4({ from: '10.66.0.11', to: '255.255.255.255', ports: [9, 9], data: mark }),
    to: broadcast,
    from: other,
  },
  'address of another': {
    payload: (mark) => udp4({ from: '10.66.0.12', to: '255.255.255.255', ports: [9, 9], data: mark }),
    to: broadcast,
  },
  'address of another in a priority tag': {
    payload: (mark) => udp4({ from: '10.66.0.12', to: '255.255.255.255', ports: [9, 9], data: mark }),
    to: broadcast,
    tags: [[0x8100, 0]],
  },
  'IPv6 address of another': {
    payload: (mark) => udp6({ from: 'fd66::12', to: allNodes.ip, ports: [9, 9], data: mark }),
  },
  'link-local address of the gateway': {
    payload: (mark) => udp6({ from: gatewayLink, to: allNodes.ip, ports: [9, 9], data: mark }),
  },
  'link-local address of another': {
    payload: (mark) => udp6({ from: otherLink, to: allNodes.ip, ports: [9, 9], data: mark }),
  },
  'ARP for the gateway': {
    payload: (mark) => arp({ operation: 'reply', mac: own, ip: '10.66.0.1', target: '10.66.0.12', mark }),
    to: broadcast,
  },
  'ARP for another': {
    payload: (mark) => arp({ operation: 'request', mac: own, ip: '10.66.0.12', target: '10.66.0.12', mark }),
    to: broadcast,
  },
  'ARP with the MAC of another': {
    payload: (mark) => arp({ operation: 'reply', mac: other, ip: '10.66.0.11', target: '10.66.0.12', mark }),
    to: broadcast,
  },
  'ARP for the gateway in a priority tag': {
    payload: (mark) => arp({ operation: 'reply', mac: own, ip: '10.66.0.1', target: '10.66.0.12', mark }),
    to: broadcast,
    tags: [[0x8100, 0]],
  },
  'neighbour advertisement for the gateway': { payload: (mark) => neighbourAdvert({ ...everywhere, mark }, 'fd66::1') },
  'neighbour advertisement for the gateway’s link-local address': {
    payload: (mark) => neighbourAdvert({ ...everywhere, mark }, gatewayLink),
  },
  'neighbour advertisement for another’s link-local address': {
    payload: (mark) => neighbourAdvert({ ...everywhere, mark }, otherLink),
  },
  'neighbour advertisement for another’s link-local address from one of no MAC': {
    payload: (mark) => neighbourAdvert({ ...everywhere, from: madeUpLink, mark }, otherLink),
  },
  'neighbour solicitation from another’s link-local address': {
    payload: (mark) => neighbourSolicit({ ...everywhere, from: otherLink, mark }, 'fd66::1'),
  },
  'neighbour advertisement for another': { payload: (mark) => neighbourAdvert({ ...everywhere, mark }, 'fd66::12') },
  'neighbour advertisement for another behind options': {
    payload: (mark) => neighbourAdvert({ ...everywhere, mark, options: true }, 'fd66::12'),
  },
  'neighbour advertisement for another in a priority tag': {
    payload: (mark) => neighbourAdvert({ ...everywhere, mark }, 'fd66::12'),
    tags: [[0x8100, 0]],
  },
  'neighbour solicitation from another': {
    payload: (mark) => neighbourSolicit({ ...everywhere, from: 'fd66::12', mark }, 'fd66::1'),
  },
  'router solicitation from another': {
    payload: (mark) => routerSolicit({ ...everywhere, from: 'fd66::12', to: 'ff02::2', mark }),
    to: '33:33:00:00:00:02',
  },
  'frame of another protocol': { payload: (mark) => ({ type: 0x88b5, bytes: mark }), to: broadcast },
  'DHCP for another': discover(other),
};

/** The first of them has the ports, and whom it is for may stand in the next. */
const askedInFragments: Readonly<Record<string, Sent>> = {
  'DHCP in fragments': {
    payload: (mark) =>
      udp4({ from: '10.66.0.11', to: '10.66.0.1', ports: [68, 67], data: sixteen(mark), fragment: true }),
    to: broadcast,
  },
  'DHCPv6 in fragments': {
    payload: (mark) => udp6({ from: ownLink, to: 'ff02::1:2', ports: [546, 547], data: sixteen(mark), fragment: true }),
  },
};
const inFragments: Readonly<Record<string, Sent>> = {
  'datagram in fragments': {
    payload: (mark) =>
      udp4({ from: '10.66.0.11', to: '255.255.255.255', ports: [9, 9], data: sixteen(mark), fragment: true }),
    to: broadcast,
  },
  'datagram of IPv6 in fragments': {
    payload: (mark) => udp6({ from: 'fd66::11', to: allNodes.ip, ports: [9, 9], data: sixteen(mark), fragment: true }),
  },
};

const all = { ...rogue, ...honest, ...spoofed, 'DHCP discover': discover(own) };
const named = (frames: Readonly<Record<string, Sent>>, who: string): Record<string, string> =>
  Object.fromEntries(Object.keys(frames).map((name) => [name, who]));
const both = 'g2 host';

const needs = (context: Parameters<typeof needsRoot>[0]): void => {
  needsRoot(context);
  needsFile(context, '/usr/bin/socat');
};

test('without rules, and on open, which has none, every frame passes', async (context) => {
  needs(context);
  expect(await seenOf(all)).toEqual(named(all, both));
  const { tables } = await host.take({ ...guarded, mode: 'open' });
  expect(tables).toEqual([]);
  expect(await seenOf(rogue)).toEqual(named(rogue, both));
});

// before all rules that look at connections: where br_netfilter is loaded, fragments are put together for these, and one alone goes nowhere
test('antiSpoof: what asks for an address comes whole, so that it can be seen for whom', async (context) => {
  needs(context);
  const frames = { ...askedInFragments, ...inFragments };
  expect(await seenOf(frames)).toEqual(named(frames, both));
  await host.take({ ...locked, mode: 'open' });
  expect(await seenOf(frames)).toEqual({ ...named(askedInFragments, 'nobody'), ...named(inFragments, both) });
});

test.for(['nat', 'route', 'isolated'] as const)(
  'ABUSE 41: %s: what a router and a DHCP server say comes from no guest, also in a tag; all else does',
  async (mode, context) => {
    needs(context);
    await host.take({ ...guarded, mode });
    const tagged = Object.fromEntries(Object.entries(all).filter(([name]) => name.includes('priority tag')));
    expect(await seenOf(all)).toEqual({ ...named(all, both), ...named(rogue, 'nobody'), ...named(tagged, 'nobody') });
    // a VLAN of the guests' own is theirs
    const theirs: Readonly<Record<string, Sent>> = {
      'router advertisement in VLAN 5': { payload: advert, tags: [[0x8100, 5]] },
      'frame of 802.2 without a packet of IP': { payload: (mark) => ({ type: 9, bytes: [0x42, 0x42, 3, ...mark] }) },
    };
    expect(await seenOf(theirs)).toEqual(named(theirs, both));
  },
);

test.for(['nat', 'open'] as const)('antiSpoof, %s: nothing in the name of another', async (mode, context) => {
  needs(context);
  await host.take({ ...locked, mode });
  const found = await seenOf(all);
  const expected = { ...named(all, both), ...named(spoofed, 'nobody'), ...(mode === 'nat' && named(rogue, 'nobody')) };
  if (mode === 'nat') expect(found).toEqual(expected);
  // open forbids nobody to be a router or a server, but in the name of another
  else expect(found).toMatchObject({ ...named(spoofed, 'nobody'), ...named(honest, both) });
});

const neighbours = (who: PartyName): string =>
  host.parties[who].must('ip neigh show').replaceAll(/ (ref|used|probes) \S+| (REACHABLE|STALE|DELAY|PROBE)/g, '');

test('antiSpoof: what another and the host know of who has which address cannot be changed', async (context) => {
  needs(context);
  const forged = Object.fromEntries(
    Object.entries(spoofed).filter(([name]) => /^(ARP for|neighbour advertisement for)/.test(name)),
  );
  const ask = async (): Promise<void> => {
    for (const [from, to] of [
      ['g2', ['10.66.0.1', 'fd66::1']],
      ['host', ['10.66.0.12', 'fd66::12', `${otherLink}%qr-lan0`]],
    ] as const)
      expect(
        await host.parties[from].ask(
          to.map((one) => ({ how: 'tcp', to: one })),
          'pass',
        ),
      ).toHaveLength(to.length);
  };
  await ask();
  const before = { g2: neighbours('g2'), host: neighbours('host') };
  expect(before.g2).toContain(`10.66.0.1 dev eth0 lladdr ${bridgeMac}`);
  await host.take(locked);
  await seenOf(forged);
  expect(neighbours('g2')).toContain(`10.66.0.1 dev eth0 lladdr ${bridgeMac}`);
  expect(neighbours('g2')).toContain(`fd66::1 dev eth0 lladdr ${bridgeMac}`);
  expect(neighbours('host')).toContain(`10.66.0.12 dev qr-lan0 lladdr ${other}`);
  expect(neighbours('host')).toContain(`fd66::12 dev qr-lan0 lladdr ${other}`);
  expect(neighbours('host')).toContain(`${otherLink} dev qr-lan0 lladdr ${other}`);
  // without it they can
  await host.release();
  await expect
    .poll(
      async () => {
        await seenOf(forged);
        return neighbours('g2');
      },
      { timeout: 60_000, interval: 300 },
    )
    .toContain(`10.66.0.1 dev eth0 lladdr ${own}`);
});
