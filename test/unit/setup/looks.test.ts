import { expect, test } from 'vitest';
import { parseLooks, type AddressLook } from '../../../src/setup/items/look.ts';
import { parseRoutes, parseStrays } from '../../../src/setup/items/uplink-look.ts';
import { ifupdownRuns } from '../../../src/setup/read-facts.ts';

const eth1: readonly AddressLook[] = [
  { cidr: '192.0.2.7/24', dynamic: false, link: false, metric: 100 },
  { cidr: '192.168.7.2/24', dynamic: false, link: false, flags: ['noprefixroute'] },
  { cidr: '10.1.1.1/32', peer: '10.1.1.2', dynamic: false, link: false },
  { cidr: '2001:db8::7/64', dynamic: true, link: false, byItself: true },
];

test('routes are made again in an order that works, and none that comes with an address', () => {
  const text = [
    'default via 192.0.2.1 dev eth1 proto dhcp metric 100 linkdown ',
    'default via 192.0.2.1 dev eth10 metric 7',
    '10.1.1.2 dev eth1 proto kernel scope link src 10.1.1.1 ',
    '192.0.2.0/24 dev eth1 proto kernel scope link src 192.0.2.7 metric 100 ',
    '192.168.7.0/24 dev eth1 proto kernel scope link src 192.168.7.2 metric 100 ',
    '192.0.2.1 dev eth1 proto dhcp scope link metric 100 ',
    '10.67.0.0/16 \\\tnexthop via 192.0.2.4 dev eth1 weight 1 \\\tnexthop via 198.51.100.5 dev eth2 weight 3 ',
    '172.16.0.0/12 via 192.0.2.9 dev eth1 table 100 mtu lock 1400',
    'local 192.0.2.7 dev eth1 table local proto kernel scope host src 192.0.2.7',
    '2001:db8::/64 dev eth1 proto kernel metric 256 expires 86000sec pref medium',
    '2001:db8:6::/48 via fe80::5 dev eth1 metric 1024 expires 599sec pref medium',
    'fe80::/64 dev eth1 proto kernel metric 256 pref medium',
    'default via fe80::1 dev eth1 proto ra metric 1024 expires 1790sec hoplimit 64 pref medium',
    'multicast ff00::/8 dev eth1 table local proto kernel metric 256 pref medium',
    '10.77.0.0/16 nhid 5 via 192.0.2.6 dev eth1 ',
    '',
  ].join('\n');
  const { routes, unknown } = parseRoutes(text, 'eth1', eth1);
  expect(routes.map((words) => words.join(' '))).toEqual([
    '192.168.7.0/24 proto kernel scope link src 192.168.7.2 metric 100',
    '192.0.2.1 proto dhcp scope link metric 100',
    'default via 192.0.2.1 proto dhcp metric 100',
    '10.67.0.0/16 nexthop via 192.0.2.4 dev @ weight 1 nexthop via 198.51.100.5 dev eth2 weight 3',
    '172.16.0.0/12 via 192.0.2.9 table 100 mtu lock 1400',
    '2001:db8:6::/48 via fe80::5 metric 1024 expires 599 pref medium',
  ]);
  expect(unknown).toEqual(['10.77.0.0/16 nhid 5 via 192.0.2.6 dev eth1']);
});

test('what ip says of a link', () => {
  const row = {
    ifname: 'br0',
    flags: ['BROADCAST', 'UP'],
    address: '02:00:00:00:00:01',
    ifalias: 'qrun setup',
    linkinfo: { info_kind: 'bridge' },
    addr_info: [
      { family: 'inet', local: '10.0.5.1', prefixlen: 24, scope: 'global', dynamic: true },
      { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' },
    ],
  };
  expect(parseLooks(JSON.stringify([{}, row]))).toEqual([
    {
      name: 'br0',
      kind: 'bridge',
      up: true,
      mac: '02:00:00:00:00:01',
      alias: 'qrun setup',
      master: undefined,
      addresses: [
        { cidr: '10.0.5.1/24', dynamic: true, link: false },
        { cidr: 'fe80::1/64', dynamic: false, link: true },
      ],
    },
  ]);
  expect(parseLooks('')).toEqual([]);
});

test('ifupdown runs the host when it makes more than the loopback and reads files beside its own', () => {
  const source = 'source /etc/network/interfaces.d/*\n';
  expect(ifupdownRuns(`${source}auto lo\niface lo inet loopback\niface eth0 inet dhcp\n`)).toBe(true);
  expect(ifupdownRuns(`${source}iface lo inet loopback\n`)).toBe(false);
  expect(ifupdownRuns('iface eth0 inet dhcp\n')).toBe(false);
});

test('routes of IPv6 that would outlive the addresses of a card', () => {
  const text = [
    'fd00:1::/64 dev eth1 proto kernel metric 256 pref medium',
    'fd00:2::/64 dev eth1 proto kernel metric 256 expires 86397sec pref medium',
    'fd00:3::/64 dev eth1 proto kernel metric 256 pref medium',
    'fd00:4::/64 dev br0 proto kernel metric 256 expires 86397sec pref medium',
    'fd00:5::/64 via fd00:1::9 dev eth1 metric 1024 pref medium',
    'fe80::/64 dev eth1 proto kernel metric 256 pref medium',
    'default via fe80::1 dev eth1 proto ra metric 1024 expires 1797sec hoplimit 64 pref medium',
    'local fd00:1::7 dev eth1 table local proto kernel metric 0 pref medium',
    'multicast ff00::/8 dev eth1 table local proto kernel metric 256 pref medium',
  ].join('\n');
  expect(parseStrays(text, 'eth1', [{ cidr: 'fd00:1::7/64' }]).map((words) => words[0])).toEqual([
    'fd00:2::/64',
    'fd00:3::/64',
    'default',
  ]);
});
