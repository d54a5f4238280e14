/** What a guest may put on the wire of its network, frame by frame: made by hand, for what a kernel would not send. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { RulesetInput } from '../../src/network/bridged/ruleset.ts';
import { isRoot, needsFile, needsRoot, Running, waitUntil } from '../harness/harness.ts';
import { arp, frame, hex, octal } from './a-frame.ts';
import { createRulesHost, macOf, type PartyName, type RulesHost } from './a-rules-host.ts';
import {
  advert,
  allNodes,
  askedInFragments,
  bridgeMac,
  broadcast,
  discover,
  honest,
  inFragments,
  other,
  otherLink,
  own,
  rogue,
  spoofed,
  type Sent,
} from './a-sent-frame.ts';

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
