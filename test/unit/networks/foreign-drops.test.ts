/** Firewalls of others: recorded rules of Docker's, ufw's and firewalld's, and what they do to a network's packets. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseIptables, parseRuleset, parseSet, setsAsked, type Firewall } from '../../../src/host/firewall.ts';
import type { Uplink } from '../../../src/host/uplinks.ts';
import type { NetworkForward } from '../../../src/network/network-plan.ts';
import { findForeignDrops, type ForeignDrop } from '../../../src/networks/foreign-drops.ts';
import { networkOf } from '../network/network-text.ts';

const fixture = (name: string): string => readFileSync(new URL(`../launch/fixtures/${name}`, import.meta.url), 'utf8');
const recorded = (name: string, more: readonly object[] = []): Firewall => {
  const { nftables } = JSON.parse(fixture(name)) as { nftables: object[] };
  return { chains: parseRuleset(JSON.stringify({ nftables: [...nftables, ...more] })) ?? [] };
};
const uplinks: readonly Uplink[] = [
  { family: 4, name: 'eth0' },
  { family: 6, name: 'eth0' },
];

interface Look {
  readonly text?: string;
  readonly forwards?: readonly NetworkForward[];
  readonly ways?: readonly Uplink[];
}

const four = 'addresses: [10.10.120.1/24]\n';

function dropsOf(firewall: Firewall, { text = '', forwards = [], ways = uplinks }: Look = {}): ForeignDrop[] {
  const definition = networkOf(`${four}${text}`, { name: 'lan0', uid: 0 });
  const attach = { by: 'bridge', bridge: 'qr-lan0', mtu: 1500, isolated: false } as never;
  const plan = { attach, forward: definition.forward } as never;
  return findForeignDrops({ definition, forwards, plan }, firewall, ways);
}

const forward: NetworkForward = {
  protocol: 'tcp',
  hostAddress: '0.0.0.0',
  hostPort: 80,
  guest: '10.10.120.60',
  guestAddress: '10.10.120.60',
  guestPort: 80,
};
const filter = 'nft chain ip filter';
const out = ['what guests send out', 'the answers to them'];
const asked = ['what guests ask of DHCP', 'names that guests ask for'];

/** Rules as a list of nft's has them, from what each interface's packets are to do. */
const rule = (table: string, chain: string, expr: readonly object[]): object => ({
  rule: { family: table === 'filter' ? 'ip' : 'inet', table, chain, expr },
});
const matching = (left: object, right: unknown): object => ({ match: { op: '==', left, right } });
const by = (key: 'iifname' | 'oifname'): object => matching({ meta: { key } }, 'qr-lan0');
const port = (number: number): object => matching({ payload: { protocol: 'udp', field: 'dport' } }, number);

test('Docker: its policy drops both ways; in DOCKER-USER two rules let it pass', () => {
  expect(dropsOf(recorded('docker.json'))).toEqual([
    {
      chain: `${filter} FORWARD (hook forward, policy drop)`,
      drops: out,
      mend: 'sudo iptables -I DOCKER-USER -i qr-lan0 -j ACCEPT && sudo iptables -I DOCKER-USER -o qr-lan0 -j ACCEPT',
    },
  ]);
  const inserted = (...keys: ('iifname' | 'oifname')[]): Firewall => {
    const { nftables } = JSON.parse(fixture('docker.json')) as { nftables: object[] };
    const own = keys.map((key) => rule('filter', 'DOCKER-USER', [by(key), { accept: null }]));
    // before the `return` that ends that chain
    return { chains: parseRuleset(JSON.stringify({ nftables: [...own, ...nftables] })) ?? [] };
  };
  expect(dropsOf(inserted('iifname'))).toMatchObject([{ drops: ['the answers to them'] }]);
  expect(dropsOf(inserted('iifname', 'oifname'))).toEqual([]);
});

test('Docker over iptables of the older kind', () => {
  const firewall = { chains: parseIptables(fixture('iptables-docker.txt'), 'ip') };
  expect(dropsOf(firewall)).toMatchObject([
    {
      chain: 'iptables chain ip filter FORWARD (hook forward, policy drop)',
      mend: expect.stringContaining('DOCKER-USER'),
    },
  ]);
});

describe('ufw', () => {
  test('denies what comes in and what goes through, and lets answers pass: the commands are its own', () => {
    expect(dropsOf(recorded('ufw.json'))).toEqual([
      {
        chain: `${filter} INPUT (hook input, policy drop)`,
        drops: asked,
        mend: 'sudo ufw allow in on qr-lan0 proto udp to any port 53 && sudo ufw allow in on qr-lan0 proto udp to any port 67',
      },
      {
        chain: `${filter} FORWARD (hook forward, policy drop)`,
        drops: ['what guests send out'],
        mend: 'sudo ufw route allow in on qr-lan0 && sudo ufw route allow out on qr-lan0',
      },
    ]);
  });

  test('told so, it drops nothing, though what is not to the host itself is dropped before', () => {
    const allowed = [
      rule('filter', 'ufw-user-forward', [by('iifname'), { accept: null }]),
      rule('filter', 'ufw-user-forward', [by('oifname'), { accept: null }]),
      rule('filter', 'ufw-user-input', [by('iifname'), port(53), { accept: null }]),
      rule('filter', 'ufw-user-input', [by('iifname'), port(67), { accept: null }]),
    ];
    expect(dropsOf(recorded('ufw.json', allowed))).toEqual([]);
    expect(dropsOf(recorded('ufw.json', allowed.slice(0, 3)))).toMatchObject([{ drops: ['what guests ask of DHCP'] }]);
  });
});

test('firewalld: the zone; that others may send to guests of route takes a policy too', () => {
  const nat = dropsOf(recorded('firewalld.json'), { forwards: [forward] });
  expect(nat).toEqual([
    {
      chain: 'nft chain inet firewalld filter_FORWARD (hook forward)',
      drops: ['what guests send out'],
      mend: 'sudo firewall-cmd --permanent --zone=trusted --add-interface=qr-lan0 && sudo firewall-cmd --reload',
    },
  ]);
  const [route] = dropsOf(recorded('firewalld.json'), { text: 'forward: route\n' });
  expect(route?.drops).toEqual(['what guests send out', 'what comes to guests from outside']);
  expect(route?.mend).toContain('--policy=to-trusted --add-ingress-zone=ANY && ');
});

test('a chain of anybody’s: the rule goes into that very chain', () => {
  const chain = (hook: string, more = {}): object => ({
    chain: { family: 'inet', table: 'my table', name: hook, type: 'filter', hook, policy: 'drop', ...more },
  });
  const firewall = (...items: object[]): Firewall => ({
    chains: parseRuleset(JSON.stringify({ nftables: items })) ?? [],
  });
  expect(dropsOf(firewall(chain('forward'), chain('input'))).map(({ mend }) => mend)).toEqual([
    "sudo nft insert rule inet 'my table' input iifname qr-lan0 udp dport '{ 53, 67 }' accept",
    "sudo nft insert rule inet 'my table' forward iifname qr-lan0 accept && sudo nft insert rule inet 'my table' forward oifname qr-lan0 accept",
  ]);
  const mended = [
    rule('my table', 'input', [
      by('iifname'),
      matching({ payload: { protocol: 'udp', field: 'dport' } }, { set: [53, 67] }),
      { accept: null },
    ]),
    rule('my table', 'forward', [by('iifname'), { accept: null }]),
    rule('my table', 'forward', [by('oifname'), { accept: null }]),
  ];
  expect(dropsOf(firewall(chain('forward'), chain('input'), ...mended))).toEqual([]);
  // ports of another protocol, of others, a range of them
  const tcp = rule('my table', 'input', [
    matching({ payload: { protocol: 'tcp', field: 'dport' } }, 53),
    { accept: null },
  ]);
  const few = rule('my table', 'input', [
    matching({ payload: { protocol: 'udp', field: 'dport' } }, { range: [54, 66] }),
    { accept: null },
  ]);
  expect(dropsOf(firewall(chain('input'), tcp, few))).toMatchObject([{ drops: asked }]);
  const wide = rule('my table', 'input', [
    matching({ payload: { protocol: 'udp', field: 'dport' } }, { range: [53, 67] }),
    { accept: null },
  ]);
  expect(dropsOf(firewall(chain('input'), wide))).toEqual([]);
  // families that the network has not
  expect(dropsOf(firewall(chain('forward', { family: 'ip6' })))).toEqual([]);
  expect(dropsOf(firewall(chain('forward', { family: 'ip6' })), { text: '' })).toEqual([]);
});

test('by mode: what nobody is to pass is not missed, what is forwarded is; nat.dev says the way', () => {
  const docker = recorded('docker.json');
  for (const text of ['forward: isolated\n', 'forward: open\n']) expect(dropsOf(docker, { text })).toEqual([]);
  for (const text of ['forward: isolated\n', 'forward: open\n'])
    expect(dropsOf(docker, { text, forwards: [forward] })).toMatchObject([{ drops: ['what forwards lead to guests'] }]);
  expect(dropsOf(docker, { forwards: [{ ...forward, hostAddress: '127.0.0.1' }] })).toMatchObject([{ drops: out }]);
  const policy = { chain: { family: 'inet', table: 't', name: 'f', hook: 'forward', policy: 'accept' } };
  const reject = rule('t', 'f', [matching({ meta: { key: 'oifname' } }, 'wan*'), { reject: { type: 'icmp' } }]);
  const firewall: Firewall = { chains: parseRuleset(JSON.stringify({ nftables: [policy, reject] })) ?? [] };
  expect(dropsOf(firewall)).toEqual([]);
  expect(dropsOf(firewall, { text: 'nat: { dev: wan0 }\n' })).toMatchObject([{ drops: ['what guests send out'] }]);
  expect(dropsOf(firewall, { ways: [{ family: 4, name: 'wan1' }] })).toMatchObject([
    { drops: ['what guests send out'] },
  ]);
  expect(dropsOf(firewall, { ways: [{ family: 6, name: 'wan1' }] })).toEqual([]);
});

test('a network whose bridge is the host’s own is nobody’s to forward', () => {
  const definition = networkOf('forward: bridge\nbridge: { name: br0 }\n', { name: 'lan0', uid: 0 });
  const attach = { by: 'bridge', bridge: 'br0', mtu: 1500, isolated: false } as never;
  const network = { definition, forwards: [], plan: { attach, forward: 'bridge' } as never };
  expect(findForeignDrops(network, recorded('docker.json'), uplinks)).toEqual([]);
});

describe('rules that ask for addresses alone', () => {
  const address = (field: 'saddr' | 'daddr', right: unknown, protocol = 'ip'): object =>
    matching({ payload: { protocol, field } }, right);
  const prefix = (addr: string, len: number): object => ({ prefix: { addr, len } });
  const own = prefix('10.10.120.0', 24);
  const ruleset = (...rules: readonly (readonly object[])[]): string =>
    JSON.stringify({
      nftables: [
        { chain: { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', policy: 'accept' } },
        { set: { family: 'ip', table: 'filter', name: 'blocked', type: 'ipv4_addr' } },
        ...rules.map((expr) => rule('filter', 'FORWARD', expr)),
      ],
    });
  const dropped = (text: string, sets?: Parameters<typeof parseRuleset>[1]): string[] =>
    dropsOf({ chains: parseRuleset(text, sets) ?? [] }, { forwards: [forward] }).flatMap(({ drops }) => drops);
  const drop = { drop: null };
  const [guests, others, forwarded] = ['what guests send out', 'the answers to them', 'what forwards lead to guests'];

  test.for([
    ['from them', [address('saddr', own), drop], [guests]],
    ['from more than them', [address('saddr', prefix('10.0.0.0', 8)), { counter: {} }, { reject: null }], [guests]],
    ['to them', [address('daddr', own), drop], [others, forwarded]],
    ['to one of them', [address('daddr', '10.10.120.60'), drop], [forwarded]],
    [
      'any of several',
      [address('saddr', { set: ['192.0.2.1', { range: ['10.10.0.0', '10.11.0.0'] }] }), drop],
      [guests],
    ],
    [
      'neighbours, together',
      [address('saddr', { set: [prefix('10.10.120.0', 25), prefix('10.10.120.128', 25)] }), drop],
      [guests],
    ],
    [
      'all but others',
      [{ match: { op: '!=', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: own } }, drop],
      [],
    ],
    ['some of them', [address('saddr', prefix('10.10.120.0', 25)), drop], []],
    ['others', [address('saddr', prefix('10.10.121.0', 24)), drop], []],
    ['of IPv6', [address('saddr', prefix('::', 0), 'ip6'), drop], []],
  ] as const)('%s', ([, expr, drops]) => {
    expect(dropped(ruleset(expr))).toEqual(drops);
  });

  test('an accept before it, and sets by their names', () => {
    expect(dropped(ruleset([address('saddr', own), { accept: null }], [drop]))).toEqual([others, forwarded]);
    const named = ruleset([address('saddr', '@blocked'), drop]);
    expect(dropped(named)).toEqual([]);
    expect(setsAsked(named)).toEqual([{ family: 'ip', table: 'filter', name: 'blocked' }]);
    const list = {
      set: { family: 'ip', name: 'blocked', table: 'filter', elem: [own, { elem: { val: '192.0.2.1' } }] },
    };
    const elements = parseSet(JSON.stringify({ nftables: [{ metainfo: {} }, list] }));
    expect(elements).toEqual(['10.10.120.0/24', '192.0.2.1']);
    expect(dropped(named, new Map([['ip filter blocked', elements ?? []]]))).toEqual([guests]);
  });

  test('iptables of the older kind', () => {
    const text =
      '-P FORWARD ACCEPT\n-A FORWARD -s 10.10.120.0/24 ! -d 10.0.0.0/8 -j DROP\n-A FORWARD -d 10.10.120.0/24 -j DROP\n';
    expect(dropsOf({ chains: parseIptables(text, 'ip') })).toMatchObject([{ drops: ['the answers to them'] }]);
  });

  test('what guests ask this host', () => {
    const text = JSON.stringify({
      nftables: [
        { chain: { family: 'ip', table: 'filter', name: 'INPUT', hook: 'input', policy: 'accept' } },
        rule('filter', 'INPUT', [address('saddr', own), drop]),
      ],
    });
    expect(dropped(text)).toEqual(['names that guests ask for']);
  });
});
