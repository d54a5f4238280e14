import { expect, test } from 'vitest';
import { parseLooks } from '../../../src/setup/items/look.ts';
import { parseRoutes } from '../../../src/setup/items/uplink.ts';
import { ifupdownRuns } from '../../../src/setup/read-facts.ts';

test('routes are made again in an order that works, and none that comes with an address', () => {
  const text = [
    'default via 192.0.2.1 proto dhcp metric 100 linkdown ',
    '192.0.2.0/24 proto kernel scope link src 192.0.2.7 metric 100 ',
    '192.0.2.1 proto dhcp scope link metric 100 ',
    'fe80::/64 proto kernel metric 256 pref medium',
    'default via fe80::1 proto ra metric 1024 expires 1790sec hoplimit 64 pref medium',
    '',
  ].join('\n');
  expect(parseRoutes(text).map((words) => words.join(' '))).toEqual([
    '192.0.2.1 proto dhcp scope link metric 100',
    'default via 192.0.2.1 proto dhcp metric 100',
  ]);
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
