/** Networks that are a card of the host's: what is refused, and how little is made. */
import { describe, expect, test } from 'vitest';
import type { PciPart } from '../../../src/host/pci-door.ts';
import type { IfName, Mac } from '../../../src/names.ts';
import type { NetworkPlan } from '../../../src/network/network-plan.ts';
import type { PortFacts } from '../../../src/network/plan-input.ts';
import { aHostLink } from '../nic/a-link-door.ts';
import { planOf } from './a-plan.ts';
import { faultsOf } from './network-text.ts';

const card = 'bridge: { uplink: eth1 }\n';
const macvtap = `forward: macvtap\n${card}`;
const hostdev = `forward: hostdev\n${card}`;

const pf = '0000:01:00.0';
const device = { address: pf, class: '020000', nets: ['eth1'], vfs: ['0000:01:10.0'], totalVfs: 4 };
const pci = (changes: Partial<PciPart> = {}): PciPart => ({
  iommu: true,
  loaded: true,
  devices: { [pf]: device },
  groups: {},
  parents: { eth1: pf },
  nets: {},
  ...changes,
});

const facts = (changes: Partial<PortFacts> = {}): PortFacts => ({
  ...{ host: '/host', state: '/root-state', macs: [], rights: true, registry: true, udev: false, ipv6: true },
  link: aHostLink('eth1', { mtu: 9000 }),
  pci: pci(),
  ...changes,
});

const asRoot = (text: string, changes: Partial<PortFacts> = {}, pinned = true): NetworkPlan =>
  planOf(text, { name: 'lan0', uid: 0, pinned, facts: { ports: facts(changes) } });

const said = (text: string): string[] => faultsOf(text, { uid: 0 }).map(({ message }) => message);

const refused = (code: string, message: string, hint: string) =>
  expect.objectContaining({
    code,
    message: expect.stringContaining(message),
    hint: expect.stringContaining(hint),
  });

describe('a definition', () => {
  test.for([
    macvtap,
    `${macvtap}hostAccess: true`,
    `${macvtap}isolatedPorts: true`,
    `${macvtap}ports: 2\nowner: alice`,
    hostdev,
    `${hostdev}vlan: 42`,
    `${hostdev}autostart: true\ndescription: the functions of eth1`,
  ])('%j is whole', (text) => {
    expect(said(text)).toEqual([]);
  });

  const both = [
    ...['dhcp: true', 'dns: { domain: x.test }', 'addresses: [10.1.2.1/24]', 'forwards: ["80:10.1.2.3:80"]'],
    ...['antiSpoof: true', 'hostDns: true', 'mtu: 1400'],
    ...['name: br1', 'stp: true', 'forwardDelay: 2', 'mac: auto'].map((key) => `bridge: { uplink: eth1, ${key} }`),
  ];
  test.for(
    [
      ...both.flatMap((key) => [`forward: macvtap\n${key}`, `forward: hostdev\n${key}`]),
      ...['isolatedPorts: true', 'ports: 2', 'owner: alice', 'group: qemusers'].map(
        (key) => `forward: hostdev\n${key}`,
      ),
    ].map((text) => (text.includes('bridge:') ? text : `${text}\n${card}`)),
  )('%j is refused, and the key is named', (text) => {
    const key = text
      .split('\n')[1]
      ?.replace(/^bridge: \{ uplink: eth1, (\w+):.*/, 'bridge.$1')
      .replace(/:.*/, '');
    const forward = text.split('\n')[0];
    expect(said(text)).toContainEqual(expect.stringContaining(`${forward} cannot honour ${key}: `));
  });

  test.for<[string, string]>([
    ['forward: macvtap', 'the card that macvtaps stand on must be named: bridge: { uplink: eth1 }'],
    ['forward: hostdev', 'the card whose virtual functions are handed out must be named'],
    [`${hostdev}hostAccess: true`, 'hostAccess belongs to forward: macvtap'],
    [`${hostdev}nat: { dev: eth0 }`, 'nat belongs to forward: nat'],
    [`${hostdev}links: [{ vxlan: { id: 1, peers: [192.0.2.1] } }]`, 'links belongs to forward: bridge'],
    [`${macvtap}vlan: 42`, 'vlan belongs to forward: hostdev'],
    [`${macvtap}transport: vde`, 'transport vde'],
    [`${macvtap}isolatedPorts: true\nhostAccess: true`, 'with isolatedPorts the host reaches no guest'],
    [`${macvtap}ports: 2`, 'who may take a port must be said'],
  ])('%j: %s', ([text, message]) => {
    expect(said(text)).toContainEqual(expect.stringContaining(message));
  });
});

describe('taken up by root', () => {
  test('macvtaps without ports: a name that users are told of, and nothing else', () => {
    const plan = asRoot(macvtap);
    expect(plan.steps.map(({ id }) => id)).toEqual(['registry']);
    expect(plan).toMatchObject({
      transport: 'tap',
      attach: { by: 'macvtap', card: 'eth1', mtu: 9000, mode: 'bridge', hostAccess: false },
    });
    expect(plan.steps[0]).toMatchObject({ network: { forward: 'macvtap', on: 'eth1', ports: [] } });
  });

  test('not pinned: somebody waits for the last that is on it, by a port or without', () => {
    expect(asRoot(macvtap, {}, false).steps[0]).toMatchObject({
      kind: 'service',
      programs: [],
      watch: { users: '/state/locks/users.lan0' },
    });
    const macs = ['52:54:00:00:00:0a' as Mac];
    const plan = asRoot(`${macvtap}ports: 1\nowner: alice\n`, { macs, user: 1000 }, false);
    const [watch] = plan.steps.filter((step) => step.kind === 'service');
    expect(watch?.watch?.ports).toEqual(['/host/ports/lan0/0']);
  });

  test('hostAccess without ports is made by the VMs, with their macvtaps', () => {
    const way = { addresses: ['10.0.5.1/24'], networks: ['10.0.5.0/24'], strict: false };
    const plan = asRoot(`${macvtap}hostAccess: true\n`, { way });
    expect(plan.steps.map(({ kind }) => kind)).toEqual(['host-network']);
    expect(plan.attach).toMatchObject({ hostAccess: true });
  });

  test('isolatedPorts is mode private, for ports too', () => {
    const macs = ['52:54:00:00:00:0a' as Mac];
    const plan = asRoot(`${macvtap}isolatedPorts: true\nports: 1\nowner: alice\n`, { macs, user: 1000 });
    expect(plan.attach).toMatchObject({ mode: 'private' });
    const [port] = plan.steps.filter((step) => step.kind === 'link');
    expect(port?.commands[0]).toMatch(/ type macvtap mode private$/);
  });

  test('functions of a card: a name as well, with their VLAN', () => {
    const plan = asRoot(`${hostdev}vlan: 42\n`);
    expect(plan.steps.map(({ id }) => id)).toEqual(['registry']);
    expect(plan.attach).toEqual({ by: 'hostdev', card: 'eth1' as IfName, mtu: 9000, vlan: 42 });
    expect(plan.notes).toEqual([]);
    expect(asRoot(hostdev, { link: aHostLink('eth1', { up: false }) }).notes).toEqual([
      'network lan0: eth1 is down: nothing passes until: sudo ip link set eth1 up',
    ]);
  });

  const none = { ...device, vfs: [] };
  const { totalVfs: _totalVfs, ...plain } = none;
  test.for<[Partial<PciPart>, string, string, string]>([
    [{ iommu: false }, 'missing-feature', 'no IOMMU', 'intel_iommu=on'],
    [{ devices: { [pf]: none } }, 'host-failed', 'no virtual function of eth1', 'sriov_numvfs'],
    [{ devices: { [pf]: plain } }, 'missing-feature', 'eth1 has no virtual functions', 'for the whole card'],
    [{ parents: {} }, 'missing-feature', 'eth1 has no virtual functions', 'kind: macvtap'],
  ])('a card that has none to hand out: %#', ([part, code, message, hint]) => {
    expect(() => asRoot(hostdev, { pci: pci(part) })).toThrow(refused(code, message, hint));
  });

  test.for([macvtap, hostdev])('no such card, no rights: %j', (text) => {
    const { link: _link, ...without } = facts();
    expect(() => planOf(text, { name: 'lan0', uid: 0, facts: { ports: without } })).toThrow(
      refused('host-failed', 'no network card eth1', 'ip -brief link show'),
    );
    expect(() => asRoot(text, { rights: false })).toThrow(refused('permission', 'CAP_NET_ADMIN', 'NET_ADMIN'));
  });
});

describe('asked for by an ordinary user', () => {
  test('macvtaps without ports: what makes some', () => {
    expect(() => planOf(macvtap, { name: 'lan0', uid: 1000 })).toThrow(
      refused('permission', 'has no ports for ordinary users', 'sudo qrun net up lan0'),
    );
  });

  test('functions of a card: why they are root’s', () => {
    expect(() => planOf(hostdev, { name: 'lan0', uid: 1000 })).toThrow(
      refused('permission', 'virtual functions of eth1 to root', 'forward: macvtap'),
    );
  });
});
