/** Networks whose ports root makes: what is planned of a definition, and what is refused. */
import { describe, expect, test } from 'vitest';
import type { HostLink } from '../../../src/host/host-link.ts';
import type { Mac } from '../../../src/names.ts';
import type { PortFacts } from '../../../src/network/plan-input.ts';
import { hostNetworkOf, type NetworkPlan } from '../../../src/network/network-plan.ts';
import { aHostLink } from '../nic/a-link-door.ts';
import { faultsOf } from './network-text.ts';
import { planOf, stepOf } from './a-plan.ts';

const macs = ['52:54:00:00:00:0a', '52:54:00:00:00:0b'] as Mac[];
const aBridge: HostLink = aHostLink('br0', { kind: 'bridge', mtu: 9000 });
const aCard: HostLink = aHostLink('eth1');

const ports = (changes: Partial<PortFacts> = {}): PortFacts => ({
  host: '/host',
  state: '/root-state',
  macs,
  user: 1000,
  link: aBridge,
  rights: true,
  registry: true,
  udev: false,
  ipv6: true,
  ...changes,
});

const onBridge = 'forward: bridge\nscope: system\nbridge: { name: br0 }\nports: 2\nowner: alice\n';
const onCard = 'forward: macvtap\nscope: system\nbridge: { uplink: eth1 }\nports: 2\nowner: alice\n';
const asRoot = (text: string, changes: Partial<PortFacts> = {}): NetworkPlan =>
  planOf(text, { name: 'lan0', uid: 0, facts: { ports: ports(changes) } });
const hostOf = (plan: NetworkPlan) => {
  const host = hostNetworkOf(plan);
  if (host === undefined) throw new Error('it has no ports');
  return host;
};
const refused = (code: string, message: string, hint: string) =>
  expect.objectContaining({
    code,
    message: expect.stringContaining(message),
    hint: expect.stringContaining(hint),
  });

describe('on a bridge', () => {
  test('each port is a tap of its owner’s on the bridge; then it is told to all', () => {
    const plan = asRoot(onBridge);
    expect(plan.steps.map(({ kind, id, needsRoot }) => [kind, id, needsRoot])).toEqual([
      ['link', 'port:0', true],
      ['link', 'port:1', true],
      ['service', 'service', true],
      ['host-network', 'registry', true],
    ]);
    // whoever has one is on the network
    expect(stepOf(plan, 'service').watch?.ports).toEqual(['/host/ports/lan0/0', '/host/ports/lan0/1']);
    const { name, commands, mac } = stepOf(plan, 'link', 'port:1');
    expect(name).toMatch(/^qr-[a-z0-9.-]{1,12}$/);
    expect(mac).toBe(macs[1]);
    const text = commands.join('\n');
    expect(text).toContain(`tuntap add dev ${name} mode tap user 1000 vnet_hdr`);
    expect(text).toContain('address fe:54:00:00:00:0b mtu 9000');
    expect(text).toContain(`link set dev ${name} master br0`);
    expect(hostOf(plan)).toMatchObject({ on: 'br0', mtu: 9000, user: 1000, ports: [{ number: 0 }, { number: 1 }] });
    expect(plan.notes).toEqual([]);
  });

  test('for a group; names and locks are the same each time, and of that network and number alone', () => {
    const text = onBridge.replace('owner: alice', 'group: qemusers');
    const { user: _user, ...nobody } = ports();
    const plan = planOf(text, { name: 'lan0', uid: 0, facts: { ports: { ...nobody, group: 44 } } });
    expect(stepOf(plan, 'link', 'port:0').commands.join('\n')).toContain('mode tap group 44');
    const devicesOf = (one: NetworkPlan): string[] => hostOf(one).ports.map(({ device }) => device);
    expect(devicesOf(asRoot(onBridge))).toEqual(devicesOf(plan));
    const other = planOf(onBridge, { name: 'lan1', uid: 0, facts: { ports: ports() } });
    expect(new Set([...devicesOf(plan), ...devicesOf(other)]).size).toBe(4);
    expect(hostOf(plan).ports.map(({ lock }) => lock)).toEqual(['/host/ports/lan0/0', '/host/ports/lan0/1']);
  });

  test('MACs are claimed where there is a registry, as whose they are', () => {
    expect(stepOf(asRoot(onBridge), 'host-network')).toMatchObject({
      path: '/host/networks/lan0.json',
      directory: '/host/ports/lan0',
      macs: '/host/ports/lan0/macs.json',
      claims: { host: '/host', state: '/root-state' },
    });
    expect(stepOf(asRoot(onBridge, { registry: false }), 'host-network')).not.toHaveProperty('claims');
  });

  test('one that is down is told, one that is not there or is no bridge refused', () => {
    expect(asRoot(onBridge, { link: { ...aBridge, up: false } }).notes).toEqual([
      expect.stringContaining('sudo ip link set br0 up'),
    ]);
    const { link: _link, ...without } = ports();
    expect(() => planOf(onBridge, { name: 'lan0', uid: 0, facts: { ports: without } })).toThrow(
      refused('host-failed', 'there is no bridge br0', 'sudo qrun setup --bridge br0'),
    );
    expect(() => asRoot(onBridge, { link: aHostLink('br0') })).toThrow(
      refused('host-failed', 'br0 is no bridge', 'ip '),
    );
  });
});

describe('on a card', () => {
  test('each port is a macvtap whose device is given to its owner when udev is done with it', () => {
    const plan = asRoot(onCard, { link: aCard, udev: true });
    expect(plan.steps.map(({ id }) => id)).toEqual([
      ...['port:0', 'port-node:0', 'port:1', 'port-node:1', 'service', 'registry'],
    ]);
    const { name, commands, parent } = stepOf(plan, 'link', 'port:0');
    const [port] = hostOf(plan).ports;
    expect(parent).toBe('eth1');
    expect(commands[0]).toBe(
      `link add link eth1 name ${name} index ${port?.index} address ${macs[0]} type macvtap mode bridge`,
    );
    expect(stepOf(plan, 'port-node', 'port-node:0')).toMatchObject({
      link: name,
      index: port?.index,
      path: `/dev/tap${port?.index}`,
      user: 1000,
      settle: true,
    });
    expect(stepOf(asRoot(onCard, { link: aCard }), 'port-node')).not.toHaveProperty('settle');
  });

  test.for([
    [undefined, 'there is no network card eth1', 'ip -brief link show'],
    [aHostLink('eth1', { kind: 'wifi' }), 'which is Wi-Fi', 'with a cable'],
    [aHostLink('eth1', { kind: 'loopback' }), 'which is the loopback', 'with a cable'],
    [aHostLink('eth1', { master: 'br0' }), 'eth1 is a port of br0', 'name: br0'],
    [aHostLink('eth1', { up: false }), 'eth1 is down', 'sudo ip link set dev eth1 up'],
  ] as const)('one that macvtaps cannot stand on: %#', ([link, message, hint]) => {
    const { link: _link, ...facts } = ports();
    const given = link === undefined ? facts : { ...facts, link };
    expect(() => planOf(onCard, { name: 'lan0', uid: 0, facts: { ports: given } })).toThrow(
      refused('host-failed', message, hint),
    );
  });
});

test('root in a container without the right is told so', () => {
  expect(() => asRoot(onBridge, { rights: false })).toThrow(
    refused('permission', 'CAP_NET_ADMIN', '--cap-add NET_ADMIN'),
  );
});

test('an ordinary user: a bridge goes by the helper while it is not up, a card has no other way', () => {
  expect(planOf(onBridge, { name: 'lan0', uid: 1000 })).toMatchObject({
    attach: { by: 'helper', bridge: 'br0' },
    steps: [],
  });
  expect(() => planOf(onCard, { name: 'lan0', uid: 1000 })).toThrow(
    refused('permission', 'lan0 is not up', 'sudo qrun net up lan0'),
  );
});

test.for([
  [onBridge.replace('owner: alice\n', ''), 'who may take a port must be said'],
  [`${onBridge}group: qemusers\n`, 'not both'],
  ['forward: macvtap\nscope: system\nports: 2\nowner: alice\n', 'the card that macvtaps stand on must be named'],
  [`${onBridge}addresses: [10.1.2.1/24]\n`, 'cannot honour addresses'],
  [`${onCard}mtu: 1400\n`, 'cannot honour mtu'],
])('a definition that cannot be honoured is a fault: %#', ([text, message]) => {
  expect(faultsOf(text ?? '', { uid: 0 }).map((fault) => fault.message)).toContainEqual(
    expect.stringContaining(message ?? ''),
  );
});
