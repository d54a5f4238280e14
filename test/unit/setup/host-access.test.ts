/** `setup --host-access`: what is planned and written, for each who makes the host's interfaces. */
import { describe, expect, test } from 'vitest';
import { onLinkOf } from '../../../src/host/host-access.ts';
import { hostWayNameOf, lastingWayNameOf } from '../../../src/host-way-name.ts';
import type { CardFact, HostManager, SetupFacts, SetupOptions } from '../../../src/setup/facts.ts';
import { planSetup } from '../../../src/setup/plan.ts';
import { networkFileOf } from '../../../src/setup/read-facts.ts';
import { someFacts, someLink } from './some-facts.ts';

const address = (cidr: string, dynamic = false) => ({ cidr, dynamic, link: cidr.startsWith('fe80') });
const someCard: CardFact = {
  link: { ...someLink, addresses: [address('10.0.5.1/24'), address('fd00:5::1/64'), address('fe80::1/64')] },
  wifi: false,
  loopback: false,
  macvlan: false,
  networks: ['fd00:5::/64'],
  strict: false,
};
const options = (changes: Partial<SetupOptions> = {}): SetupOptions => ({ hostAccess: 'eth1', yes: false, ...changes });
const planned = (changes: Partial<SetupFacts> = {}, more: Partial<SetupOptions> = {}) =>
  planSetup(options(more), { ...someFacts, card: someCard, ...changes });
const filesOf = (manager: HostManager, card: Partial<CardFact> = {}): Record<string, string> =>
  Object.fromEntries(
    planned({ manager, card: { ...someCard, ...card } }).items.flatMap((item) =>
      item.kind === 'file' && item.path.includes('qrh-eth1') ? [[item.path, item.content]] : [],
    ),
  );

test('names fit the kernel, and are different for each card', () => {
  for (const name of ['eth1', 'enp0s31f6.100', 'a-very-long-nam', 'Eth_1'])
    for (const nameOf of [hostWayNameOf, lastingWayNameOf]) expect(nameOf(name)).toMatch(/^qrh?-[a-z0-9.-]{1,12}$/);
  expect(lastingWayNameOf('eth1')).toBe('qrh-eth1');
  expect(lastingWayNameOf('Eth_1')).not.toBe(lastingWayNameOf('Eth_2'));
});

test('NetworkManager gets a connection, and is not kept off it', () => {
  expect(filesOf('network-manager')['/etc/NetworkManager/system-connections/qrun-qrh-eth1.nmconnection']).toContain(
    [
      '[macvlan]\nparent=eth1\nmode=2\n',
      '[ipv4]\nmethod=manual\naddress1=10.0.5.1/32\nnever-default=true',
      'route1=10.0.5.0/25\nroute1_options=src=10.0.5.1\nroute2=10.0.5.128/25\nroute2_options=src=10.0.5.1\n',
      '[ipv6]\nmethod=manual\naddress1=fd00:5::1/128\nnever-default=true\nroute1=fd00:5::/65\nroute1_options=src=fd00:5::1\n',
    ].join('\n'),
  );
  const watchers = { networkManager: true, networkd: false, udev: true };
  const unmanaged = planned({ manager: 'network-manager', watchers }).items.find(
    (item) => item.kind === 'file' && item.path.endsWith('90-qrun.conf'),
  );
  expect(unmanaged).toMatchObject({ content: expect.not.stringContaining('qrh-') });
});

test('ifupdown gets its lines', () => {
  const text = filesOf('ifupdown')['/etc/network/interfaces.d/qrun-qrh-eth1'] ?? '';
  expect(text).toContain('auto qrh-eth1\niface qrh-eth1 inet manual\n    pre-up ip link set dev eth1 up\n');
  expect(text).toMatch(/pre-up ip link add link eth1 name qrh-eth1 .* \|\| true\n/);
  expect(text).toContain('    up ip route replace 10.0.5.0/25 dev qrh-eth1 src 10.0.5.1 scope link\n');
  expect(text).toContain('    post-down ip link delete dev qrh-eth1 || true\n');
});

test('systemd-networkd gets a file beside that of the card; for a card that it leaves alone there is a unit', () => {
  expect(Object.keys(filesOf('networkd', { networkFile: '10-lan.network' }))).toEqual([
    '/etc/systemd/network/05-qrun-qrh-eth1.netdev',
    '/etc/systemd/network/05-qrun-qrh-eth1.network',
    '/etc/systemd/network/10-lan.network.d/qrun-qrh-eth1.conf',
  ]);
  const watchers = { networkManager: false, networkd: true, udev: true };
  const { items } = planned({ manager: 'networkd', watchers });
  expect(items).toContainEqual(expect.objectContaining({ kind: 'unit', name: 'qrun-host-access-eth1.service' }));
  expect(items).toContainEqual(expect.objectContaining({ content: expect.stringContaining('Name=qr-* qrh-eth1\n') }));
  expect(networkFileOf('A=1\nNETWORK_FILE=/run/systemd/network/10-x.network\n')).toBe('10-x.network');
  expect(networkFileOf('NETWORK_FILE=/x/../..\n')).toBeUndefined();
});

test('dhcpcd asks for no address on it, whoever makes it', () => {
  const watchers = { networkManager: true, networkd: false, udev: true, dhcpcd: '/etc/dhcpcd.conf' };
  for (const manager of ['network-manager', 'systemd'] as const)
    expect(planned({ manager, watchers }).items).toContainEqual(
      expect.objectContaining({ kind: 'line', line: 'denyinterfaces qr-* qrh-eth1' }),
    );
});

describe('a card that', () => {
  test.each<[string, Partial<CardFact>, string]>([
    ['is Wi-Fi', { wifi: true }, 'is Wi-Fi: an access point takes frames'],
    ['is the loopback', { loopback: true }, 'the loopback'],
    ['is a macvlan', { macvlan: true }, 'is a macvlan itself'],
    ['is a port', { link: { ...someLink, master: 'br0' } }, 'a port of br0'],
    ['is down', { link: { ...someLink, up: false } }, 'eth1 is down'],
    ['has no address', { link: someLink }, 'the host has no address on eth1'],
    ['has one by DHCP', { link: { ...someLink, addresses: [address('10.0.5.7/24', true)] } }, 'by DHCP (10.0.5.7/24)'],
    ['is strict', { strict: true }, 'rp_filter 1'],
    ['has another interface of that name', { existing: { ...someLink, kind: 'bridge' } }, 'qrh-eth1 is an interface'],
  ])('%s is refused', (...[, card, message]) => {
    expect(() => planned({ card: { ...someCard, ...card } })).toThrow(message);
  });

  test('has its address by DHCP takes one of its own', () => {
    const card = { ...someCard, link: { ...someLink, addresses: [address('10.0.5.7/24', true)] } };
    const [way] = planned({ card }, { address: '10.0.5.9/32' }).items.filter(({ kind }) => kind === 'way');
    expect(way).toMatchObject({ addresses: ['10.0.5.9'], own: '10.0.5.9/32', routes: [{ to: '10.0.5.0/25' }, {}] });
  });

  test('has IPv6 from a router keeps it for itself, and that is said', () => {
    const addresses = [address('10.0.5.1/24'), address('2001:db8::7/64', true)];
    const { items, notes } = planned({
      card: { ...someCard, networks: ['2001:db8::/64'], link: { ...someLink, addresses } },
    });
    expect(items.find(({ kind }) => kind === 'way')).toMatchObject({ addresses: ['10.0.5.1'] });
    expect(notes).toContainEqual(expect.stringContaining('IPv6 of the link'));
  });
});

test('networks of IPv6 that are reached on a card without a gateway', () => {
  const row = (to: string, length: string, [flags, name]: readonly [string, string]): string =>
    `${to.padEnd(32, '0')} ${length} ${'0'.repeat(32)} 00 ${'0'.repeat(32)} 00000100 00000001 00000000 ${flags}     ${name}`;
  const table = [
    row('fd000005', '40', ['00000001', 'eth1']),
    row('fd000006', '40', ['00000003', 'eth1']),
    row('fd000007', '40', ['00000001', 'eth0']),
    row('fe80', '40', ['00000001', 'eth1']),
    row('ff', '08', ['00000001', 'eth1']),
    row('', '00', ['00000001', 'eth1']),
    row('fd000005000000000000000000000001', '80', ['80200001', 'eth1']),
  ].join('\n');
  expect(onLinkOf('eth1', `${table}\n`)).toEqual(['fd00:5::/64']);
});
