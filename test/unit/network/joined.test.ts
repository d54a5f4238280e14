/** Networks of forward: bridge: on a bridge of the host's, on one of their own with a card or other hosts as ports. */
import { describe, expect, test } from 'vitest';
import { parseVxlans, parseWays, type Underlay } from '../../../src/host/underlay.ts';
import { parseTargets, type UplinkFact } from '../../../src/host/uplink.ts';
import { linkAliasOf } from '../../../src/link-name.ts';
import type { Mac } from '../../../src/names.ts';
import type { NetworkPlan } from '../../../src/network/network-plan.ts';
import type { PortFacts } from '../../../src/network/plan-input.ts';
import { aHostLink } from '../nic/a-link-door.ts';
import { planOf, stepOf, type PlanOptions } from './a-plan.ts';
import { saidOf } from './network-text.ts';

const underlay = (changes: Partial<Underlay> = {}): Underlay => ({
  peers: {
    '198.51.100.1': { own: true, dev: 'lo' },
    '198.51.100.2': { own: false, dev: 'eth0' },
    '198.51.100.3': { own: false, dev: 'eth0' },
    '2001:db8::2': { own: false, dev: 'eth0' },
  },
  devices: { eth0: aHostLink('eth0') },
  vxlans: [],
  ...changes,
});

const bare: PortFacts = {
  host: '/host',
  state: '/root-state',
  macs: [],
  rights: true,
  registry: false,
  udev: false,
  ipv6: true,
};

const plan = (text: string, facts: Partial<PortFacts> = {}, more: Partial<PlanOptions['facts']> = {}): NetworkPlan =>
  planOf(`forward: bridge\n${text}`, { name: 'lan0', uid: 0, facts: { ports: { ...bare, ...facts }, ...more } });

const idsOf = ({ steps }: NetworkPlan): string[] => steps.map(({ id }) => id);
const br0 = aHostLink('br0', { kind: 'bridge', mtu: 9000 });
const card = (changes: Partial<UplinkFact> = {}): UplinkFact => ({
  link: aHostLink('eth1'),
  addresses: [],
  routes: [],
  ...changes,
});
const refused = (code: string, message: string, hint: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(message), hint: expect.stringContaining(hint) });

const two = 'links: [{ vxlan: { id: 42, peers: [198.51.100.2] } }]\n';
const three = 'links: [{ vxlan: { id: 42, peers: [198.51.100.1, 198.51.100.2, 198.51.100.3] } }]\n';

describe('a bridge of the host’s', () => {
  test('is joined as it is: nothing is made of it', () => {
    const joined = plan('bridge: { name: br0 }\n', { link: br0 });
    expect(idsOf(joined)).toEqual(['service', 'registry']);
    expect(joined.attach).toEqual({ by: 'bridge', bridge: 'br0', mtu: 9000, isolated: false });
    expect(joined.notes).toEqual([]);
  });

  test('with ports, which are kept apart where that is wanted', () => {
    const text = 'bridge: { name: br0 }\nports: 1\nowner: alice\n';
    const facts = { link: br0, macs: ['52:54:00:00:00:0a'] as Mac[], user: 1000 };
    expect(stepOf(plan(text, facts), 'link').commands.join('\n')).not.toContain('isolated');
    const apart = plan(`${text}isolatedPorts: true\n`, facts);
    expect(apart.attach).toMatchObject({ isolated: true });
    const { name, commands } = stepOf(apart, 'link', 'port:0');
    expect(commands.at(-1)).toBe(`link set dev ${name} type bridge_slave isolated on`);
  });

  test('a smaller MTU is what guests are told; a larger one is refused', () => {
    const small = plan('bridge: { name: br0 }\nmtu: 1400\n', { link: br0 });
    expect(small.attach).toMatchObject({ mtu: 1400 });
    expect(small.notes).toEqual([expect.stringContaining('br0 has an MTU of 9000')]);
    expect(() => plan('bridge: { name: br0 }\nmtu: 9001\n', { link: br0 })).toThrow(
      refused('host-failed', 'more than br0 takes, which is 9000', 'leave mtu out'),
    );
  });

  test('an ordinary user whose guests are to be kept apart does not go by the helper', () => {
    const text = 'forward: bridge\nbridge: { name: br0 }\n';
    expect(planOf(text, { uid: 1000 }).attach).toEqual({ by: 'helper', bridge: 'br0' });
    expect(() => planOf(`${text}isolatedPorts: true\n`, { uid: 1000 })).toThrow(
      refused('permission', 'is not up', 'sudo qrun net up'),
    );
  });
});

test('one that VMs hold up is watched, by nothing else than that; one that is pinned is not', () => {
  const facts = { ports: bare };
  const watched = planOf('forward: bridge\n', { name: 'lan0', uid: 0, facts });
  expect(stepOf(watched, 'service')).toMatchObject({ programs: [], watch: { release: ['node', 'qrun', '__release'] } });
  expect(idsOf(planOf('forward: bridge\n', { name: 'lan0', uid: 0, facts, pinned: true }))).toEqual([
    'bridge',
    'registry',
  ]);
});

describe('a bridge of its own', () => {
  test('without a word it has no addresses, and no rules', () => {
    const own = plan('');
    expect(idsOf(own)).toEqual(['bridge', 'service', 'registry']);
    expect(own.attach).toEqual({ by: 'bridge', bridge: 'qr-lan0', mtu: 1500, isolated: false });
    expect(stepOf(own, 'link', 'bridge').commands.join('\n')).not.toContain('address add');
  });

  test('with addresses the host is on it; not with those that it reaches elsewhere', () => {
    const text = 'addresses: [10.9.0.1/24]\nmtu: 9000\n';
    const own = plan(text);
    expect(stepOf(own, 'link', 'bridge').commands).toContain('address add 10.9.0.1/24 dev qr-lan0');
    expect(own.attach).toMatchObject({ mtu: 9000 });
    const routes = [{ cidr: '10.0.0.0/8', interface: 'eth0' }];
    expect(() => plan(text, {}, { routes })).toThrow(refused('in-use', 'overlaps with 10.0.0.0/8', 'addresses'));
  });

  test('a card becomes a port of it, after it was made and before what stands on it', () => {
    const own = plan(`bridge: { uplink: eth1 }\n${two}`, { uplink: card(), underlay: underlay() });
    expect(idsOf(own)).toEqual(['bridge', 'uplink', 'vxlan:0', 'service', 'registry']);
    expect(stepOf(own, 'uplink')).toMatchObject({ name: 'eth1', bridge: 'qr-lan0', needsRoot: true });
  });

  test.for<[string, Partial<PortFacts>, string, string, string]>([
    ['gone', {}, 'host-failed', 'there is no interface eth1', 'ip -brief link'],
    [
      'with an address',
      { uplink: card({ addresses: ['10.0.5.2'] }) },
      'in-use',
      'for 10.0.5.2',
      'sudo qrun setup --bridge br0 --uplink eth1',
    ],
    ['with a route', { uplink: card({ routes: ['default'] }) }, 'in-use', 'for default', 'sudo qrun setup --bridge'],
    [
      'of another bridge',
      { uplink: card({ link: aHostLink('eth1', { master: 'br7' }) }) },
      'in-use',
      'a port of br7',
      'name: br7',
    ],
    [
      'Wi-Fi',
      { uplink: card({ link: aHostLink('eth1', { kind: 'wifi' }) }) },
      'host-failed',
      'no port of a bridge',
      'cable',
    ],
    [
      'a bridge',
      { uplink: card({ link: aHostLink('eth1', { kind: 'bridge' }) }) },
      'host-failed',
      'a bridge itself',
      'without uplink',
    ],
  ])('no card that is %s', ([, facts, code, message, hint]) => {
    expect(() => plan('bridge: { uplink: eth1 }\n', facts)).toThrow(refused(code, message, hint));
  });

  test('an interface of its name that is another’s is in the way', () => {
    expect(() => plan('', { link: aHostLink('qr-lan0', { kind: 'bridge' }) })).toThrow(
      refused('in-use', 'not this network', 'bridge: { name: qr-lan0 }'),
    );
    expect(() => plan('bridge: { name: br0, uplink: eth1 }\n', { link: br0, uplink: card() })).toThrow(
      refused('in-use', 'an interface br0 already', 'setup --bridge br0 --uplink eth1'),
    );
    const alias = linkAliasOf({ state: '/root-state', vm: 'net/lan0', nic: 'bridge', role: 'bridge' });
    expect(idsOf(plan('', { link: aHostLink('qr-lan0', { kind: 'bridge', alias }) }))).toContain('bridge');
  });
});

describe('links', () => {
  test('to one other host: a port of the bridge that sends on nothing which came by such a port', () => {
    const linked = plan(two, { underlay: underlay() });
    const { name, commands, fdb, alias } = stepOf(linked, 'link', 'vxlan:0');
    // a bridge whose MAC the kernel chooses takes the lowest of its ports
    const mac = /address (fe(?::[0-9a-f]{2}){5}) /.exec(commands[0] ?? '')?.[1];
    expect(commands).toEqual([
      `link add name ${name} address ${mac} mtu 1450 type vxlan id 42 dstport 4789 remote 198.51.100.2`,
      `link set dev ${name} alias ${alias} addrgenmode none`,
      `link set dev ${name} master qr-lan0`,
      `link set dev ${name} type bridge_slave isolated on`,
      `link set dev ${name} up`,
    ]);
    expect(fdb).toBeUndefined();
    expect(linked.attach).toMatchObject({ mtu: 1450 });
    expect(linked.links).toEqual([{ device: name, id: 42, port: 4789, peers: ['198.51.100.2'], mtu: 1450 }]);
  });

  test('to several, without this host itself', () => {
    const { name, commands, fdb } = stepOf(plan(three, { underlay: underlay() }), 'link', 'vxlan:0');
    expect(commands[0]).toContain('remote 198.51.100.2');
    expect(fdb).toEqual([`fdb append 00:00:00:00:00:00 dev ${name} dst 198.51.100.3`]);
  });

  test('IPv6 takes 70 bytes of the way, IPv4 50; the least counts', () => {
    const both = `${two.trimEnd().slice(0, -1)}, { vxlan: { id: 42, port: 4790, peers: ["2001:db8::2"] } }]\n`;
    expect(plan(both, { underlay: underlay() }).attach).toMatchObject({ mtu: 1430 });
    const devices = { eth0: aHostLink('eth0', { mtu: 9000 }), wg0: aHostLink('wg0', { mtu: 1420 }) };
    expect(plan(two, { underlay: underlay({ devices }) }).attach).toMatchObject({ mtu: 8950 });
    const by = two.replace('id: 42', 'dev: wg0, id: 42');
    expect(plan(by, { underlay: underlay({ devices }) }).attach).toMatchObject({ mtu: 1370 });
    const peers = { '198.51.100.2': { own: false, dev: 'eth0', mtu: 1400 } };
    expect(plan(two, { underlay: underlay({ devices, peers }) }).attach).toMatchObject({ mtu: 1350 });
    expect(() => plan(`${two}mtu: 1500\n`, { underlay: underlay() })).toThrow(
      refused('host-failed', 'the way to 198.51.100.2 by VXLAN takes, which is 1450', 'leave mtu out'),
    );
  });

  test.for<[string, string, Partial<Underlay>, string, string]>([
    ['host-failed', two.replace('id: 42', 'dev: eth9, id: 42'), {}, 'there is no interface eth9', 'ip -brief'],
    [
      'host-failed',
      two.replace('id: 42', 'dev: eth0, id: 42'),
      { devices: { eth0: aHostLink('eth0', { up: false }) } },
      'eth0 is down',
      'sudo ip link set dev eth0 up',
    ],
    ['host-failed', two, { peers: {} }, 'no way to 198.51.100.2', 'ip route get 198.51.100.2'],
    ['host-failed', two.replace('.2]', '.1]'), {}, 'this host itself', 'other hosts'],
    [
      'in-use',
      two,
      {
        vxlans: [
          {
            name: 'qr-0123456789ab',
            alias: linkAliasOf({ state: '/s', vm: 'net/lan7', nic: 'link0', role: 'vxlan' }),
            id: 42,
            port: 4789,
          },
        ],
      },
      'VXLAN 42 on port 4789 is that of qr-0123456789ab of network lan7 already',
      'another id',
    ],
  ])('%s: %s %j', ([code, text, changes, message, hint]) => {
    expect(() => plan(text, { underlay: underlay(changes) })).toThrow(refused(code, message, hint));
  });

  test('none goes by the bridge that it would be a port of', () => {
    const peers = { '198.51.100.2': { own: false, dev: 'br0' } };
    const facts = { link: br0, underlay: underlay({ peers, devices: { br0 } }) };
    expect(() => plan(`bridge: { name: br0 }\n${two}`, facts)).toThrow(
      refused('host-failed', 'round for ever', 'a bridge of its own'),
    );
  });

  test.for([
    ['198.51.100.2, "2001:db8::2"', 'two families'],
    ['198.51.100.2, 198.51.100.2', 'stands there twice'],
    ['"2001:db8::2", "2001:DB8:0::2"', 'stands there twice'],
    ['239.1.1.1', 'of no one host'],
    ['0.0.0.0', 'of no one host'],
    ['127.0.0.1', 'of no one host'],
    ['"fe80::1"', 'of no one host'],
    ['"ff02::1"', 'of no one host'],
  ])('peers %s: %s', ([peers, said]) => {
    const text = `forward: bridge\nlinks: [{ vxlan: { id: 1, peers: [${peers}] } }]`;
    expect(saidOf(text, { uid: 0 }).join('\n')).toContain(said);
  });

  test('two of one id on one port', () => {
    const link = (more = ''): string => `{ vxlan: { id: 1, peers: [198.51.100.2]${more} } }`;
    const said = (...links: string[]): string =>
      saidOf(`forward: bridge\nlinks: [${links.join(', ')}]`, { uid: 0 }).join('\n');
    expect(said(link(), link(', port: 4789'))).toContain('links[0] has that id on that port already');
    expect(said(link(), link(', port: 4790'))).toBe('');
  });
});

test.for([
  ['bridge: { name: br0, mac: auto }', 'bridge.mac'],
  ['bridge: { name: br0 }\naddresses: [10.9.0.1/24]', 'addresses'],
  ['dhcp: true', 'dhcp'],
  ['dns: { domain: lan.test }', 'dns'],
  ['antiSpoof: true', 'antiSpoof'],
  ['bridge: { name: "br:0", uplink: eth1 }', 'letters, digits'],
])('%j cannot be honoured', ([text, what]) => {
  expect(saidOf(`forward: bridge\n${text}`, { uid: 0 }).join('\n')).toContain(what);
});

describe('what ip says', () => {
  test('of ways: its own addresses, others, MTUs of ways', () => {
    const text = [
      '[{"type":"local","dst":"10.1.0.1","dev":"lo","flags":[],"cache":["local"]}]',
      '[{"dst":"10.1.0.2","dev":"v0","metrics":[{"mtu":1400}],"flags":[],"cache":[]}]',
      '',
    ].join('\n');
    expect(parseWays(text)).toEqual({
      '10.1.0.1': { own: true, dev: 'lo' },
      '10.1.0.2': { own: false, dev: 'v0', mtu: 1400 },
    });
    expect(parseWays('')).toEqual({});
  });

  test('of VXLANs and routes', () => {
    const row = '{"ifname":"vx0","ifalias":"x","linkinfo":{"info_kind":"vxlan","info_data":{"id":42,"port":4789}}}';
    expect(parseVxlans(`[{},${row}]\n`)).toEqual([{ name: 'vx0', alias: 'x', id: 42, port: 4789 }]);
    expect(parseVxlans('')).toEqual([]);
    expect(parseTargets('[{"dst":"default"},{"dst":"fe80::/64"},{"dst":"10.0.0.0/8"}]')).toEqual([
      'default',
      '10.0.0.0/8',
    ]);
  });
});
