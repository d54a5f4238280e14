/** What the rules of a network let pass and what not, with real packets: by mode, sender, receiver and protocol. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RulesetInput } from '../../src/network/bridged/ruleset.ts';
import type { NetworkForward } from '../../src/network/network-plan.ts';
import { isRoot, needsFile, needsRoot } from '../harness/harness.ts';
import { createRulesHost, type Ask, type PartyName, type RulesHost } from './a-rules-host.ts';

let host: RulesHost;
beforeAll(async () => {
  if (isRoot()) host = await createRulesHost();
});
afterEach(async () => {
  if (isRoot()) await host.release();
});
afterAll(async () => {
  if (isRoot()) await host.dispose();
});

const lan0 = {
  table: 'qrun_lan0',
  bridge: 'qr-lan0',
  bridgeMac: '02:00:00:66:00:01',
  subnets: ['10.66.0.0/24', 'fd66::/64'],
  addresses: ['10.66.0.1', 'fd66::1'],
  forwards: [],
  asks: { dhcp: true, dns: true, tftp: false },
} satisfies Partial<RulesetInput>;
const lan1: RulesetInput = {
  ...lan0,
  table: 'qrun_lan1',
  bridge: 'qr-lan1',
  mode: 'nat',
  nat: { ipv6: true },
  subnets: ['10.67.0.0/24', 'fd67::/64'],
  addresses: ['10.67.0.1', 'fd67::1'],
};

const addresses = {
  g1: ['10.66.0.11', 'fd66::11'],
  g2: ['10.66.0.12', 'fd66::12'],
  o1: ['10.67.0.11', 'fd67::11'],
  out: ['192.0.2.2', '2001:db8::2'],
  far: ['198.51.100.2', '2001:db8:1::2'],
  'host, on the bridge': ['10.66.0.1', 'fd66::1'],
  'host, elsewhere': ['192.0.2.1', '2001:db8::1'],
} as const;
type Place = keyof typeof addresses;

const ways = ['tcp', 'udp', 'icmp'] as const;
const asksOf = (to: Place): Ask[] => addresses[to].flatMap((address) => ways.map((how) => ({ how, to: address })));

type Row = readonly [from: PartyName, to: Place, passes: 'pass' | 'stop', seenAs?: readonly [string, string]];

const always: readonly Row[] = [
  ['g1', 'g2', 'pass', ['10.66.0.11', 'fd66::11']],
  ['g1', 'host, on the bridge', 'pass', ['10.66.0.11', 'fd66::11']],
  ['host', 'g1', 'pass', ['10.66.0.1', 'fd66::1']],
  // lan1 is behind NAT: nobody's business
  ['g1', 'o1', 'stop'],
];
const matrix: Readonly<Record<RulesetInput['mode'], readonly Row[]>> = {
  nat: [
    ['g1', 'out', 'pass', ['192.0.2.1', '2001:db8::1']],
    ['g2', 'far', 'pass', ['198.51.100.1', '2001:db8:1::1']],
    ['g1', 'host, elsewhere', 'pass', ['10.66.0.11', 'fd66::11']],
    ['out', 'g1', 'stop'],
    ['o1', 'g1', 'stop'],
  ],
  route: [
    ['g1', 'out', 'pass', ['10.66.0.11', 'fd66::11']],
    ['g1', 'host, elsewhere', 'pass', ['10.66.0.11', 'fd66::11']],
    ['out', 'g1', 'pass', ['192.0.2.2', '2001:db8::2']],
    ['o1', 'g1', 'pass'],
  ],
  open: [
    ['g1', 'out', 'pass', ['10.66.0.11', 'fd66::11']],
    ['g1', 'host, elsewhere', 'pass', ['10.66.0.11', 'fd66::11']],
    ['out', 'g1', 'pass', ['192.0.2.2', '2001:db8::2']],
    ['o1', 'g1', 'pass'],
  ],
  isolated: [
    ['g1', 'out', 'stop'],
    ['g1', 'host, elsewhere', 'stop'],
    ['out', 'g1', 'stop'],
    ['o1', 'g1', 'stop'],
  ],
};

async function expectRows(rows: readonly Row[]): Promise<void> {
  const found = await Promise.all(
    rows.map(async ([from, to, passes]) => [from, to, await host.parties[from].ask(asksOf(to), passes)] as const),
  );
  const name = (to: Place) => to.split(',')[0] ?? '';
  const wanted = rows.map(([from, to, passes, seen]) => [
    from,
    to,
    asksOf(to).map(({ how, to: address }) => {
      if (passes === 'stop') return expect.stringMatching(/^no: /);
      if (how === 'icmp') return 'pong';
      const as = seen?.[address.includes(':') ? 1 : 0];
      return as === undefined ? expect.stringContaining(`${name(to)} sees `) : `${name(to)} sees ${as}`;
    }),
  ]);
  expect(found).toEqual(wanted);
}

describe('who reaches whom, by TCP, UDP and ICMP, in IPv4 and IPv6', () => {
  test.for(['nat', 'route', 'open', 'isolated'] as const)('%s', async (mode, context) => {
    needsRoot(context);
    needsFile(context, '/usr/sbin/nft');
    await host.take(lan1);
    await host.take({ ...lan0, mode, ...(mode === 'nat' && { nat: { ipv6: true } }) });
    await expectRows([...always, ...matrix[mode]]);
  });
});

const forward = (hostAddress: string, hostPort: number, guestAddress: string): NetworkForward[] =>
  (['tcp', 'udp'] as const).map((protocol) => ({
    protocol,
    hostAddress,
    hostPort,
    guest: guestAddress,
    guestAddress,
    guestPort: 7000,
  }));

/** By whom it is asked, where, and who answers, and what he sees; nobody: it does not get through. */
type Asked = readonly [from: PartyName, to: string, port: number, answer: string | undefined];

async function expectForwards(rows: readonly Asked[]): Promise<void> {
  const found = await Promise.all(
    rows.map(async ([from, to, port, answer]) => {
      const asks = (['tcp', 'udp'] as const).map((how) => ({ how, to, port }));
      return [from, to, port, ...(await host.parties[from].ask(asks, answer === undefined ? 'stop' : 'pass'))];
    }),
  );
  const wanted = rows.map(([from, to, port, answer]) => {
    const one = answer ?? expect.stringMatching(/^no: /);
    return [from, to, port, one, one];
  });
  expect(found).toEqual(wanted);
}

const forwards = [
  ...forward('0.0.0.0', 8080, '10.66.0.11'),
  ...forward('192.0.2.1', 8081, '10.66.0.12'),
  ...forward('127.0.0.1', 8082, '10.66.0.11'),
  ...forward('::', 8083, 'fd66::11'),
  ...forward('2001:db8::1', 8084, 'fd66::12'),
  ...forward('::1', 8085, 'fd66::11'),
];

describe('forwards', () => {
  test.for(['nat', 'route', 'open', 'isolated'] as const)('into %s', async (mode, context) => {
    needsRoot(context);
    await host.take({ ...lan0, mode, forwards });
    // guests of an isolated network know the way to the host alone
    const isolated = mode === 'isolated';
    const seen = (address: string): string => (isolated ? (address.includes(':') ? 'fd66::1' : '10.66.0.1') : address);
    await expectForwards([
      ['out', '192.0.2.1', 8080, `g1 sees ${seen('192.0.2.2')}`],
      ['far', '198.51.100.1', 8080, `g1 sees ${seen('198.51.100.2')}`],
      ['out', '192.0.2.1', 8081, `g2 sees ${seen('192.0.2.2')}`],
      ['far', '198.51.100.1', 8081, undefined],
      ['out', '192.0.2.1', 8082, undefined],
      ['out', '2001:db8::1', 8083, `g1 sees ${seen('2001:db8::2')}`],
      ['out', '2001:db8::1', 8084, `g2 sees ${seen('2001:db8::2')}`],
      ['far', '2001:db8:1::1', 8084, undefined],
      ['out', '2001:db8::1', 8085, undefined],
      // the host itself
      ['host', '127.0.0.1', 8080, 'g1 sees 10.66.0.1'],
      ['host', '127.0.0.1', 8082, 'g1 sees 10.66.0.1'],
      ['host', '127.0.0.2', 8082, undefined],
      ['host', '192.0.2.1', 8081, 'g2 sees 10.66.0.1'],
      ['host', '::1', 8083, 'g1 sees fd66::1'],
      ['host', '::1', 8085, 'g1 sees fd66::1'],
      ['host', '2001:db8::1', 8084, 'g2 sees fd66::1'],
      // guests, of their own network and of another
      ['g2', '192.0.2.1', 8080, 'g1 sees 10.66.0.1'],
      ['g1', '10.66.0.1', 8080, 'g1 sees 10.66.0.1'],
      ['g1', '192.0.2.1', 8081, 'g2 sees 10.66.0.1'],
      ['g2', '2001:db8::1', 8083, 'g1 sees fd66::1'],
      ['o1', '10.67.0.1', 8080, `g1 sees ${seen('10.67.0.11')}`],
    ]);
  });
});
