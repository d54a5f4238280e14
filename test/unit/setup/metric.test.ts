import { expect, test } from 'vitest';
import { metricOf } from '../../../src/setup/forms/form.ts';
import type { UplinkLook } from '../../../src/setup/items/uplink-look.ts';

const words = (text: string) => ({ family: '-4' as const, words: text.split(' ') });
const metric = (look: Partial<UplinkLook>) =>
  metricOf({ uplink: { name: 'eth1', up: true, addresses: [], routes: [], dynamic: true, ...look } });

test('of the way out', () => {
  const routes = [
    words('192.0.2.0/24 proto dhcp scope link src 192.0.2.7 metric 7'),
    words('default via 192.0.2.1 metric 100'),
  ];
  expect(metric({ routes })).toBe('100');
  // one without a metric is preferred to all others
  expect(metric({ routes: [routes[0] ?? words(''), words('default via 192.0.2.1')] })).toBeUndefined();
});

test.for([
  ['dhcpcd', { routes: [words('192.0.2.0/24 proto dhcp scope link src 192.0.2.7 metric 1003')] }, '1003'],
  ['NetworkManager', { routes: [words('192.0.2.0/24 proto kernel scope link src 192.0.2.7 metric 100')] }, '100'],
  ['systemd-networkd', { addresses: [{ cidr: '192.0.2.7/24', metric: 1024 }] }, '1024'],
  ['ifupdown', { addresses: [{ cidr: '192.0.2.7/24' }] }, undefined],
] as const)('of the way to the network, where the server of %s named no router', ([, look, expected]) => {
  expect(metric(look)).toBe(expected);
});

test('not of a way that somebody else made, of another table or of IPv6', () => {
  const routes = [
    words('10.9.0.0/16 via 192.0.2.9 metric 50'),
    words('10.8.0.0/16 proto static scope link metric 50'),
    words('default via 192.0.2.9 metric 50 table 7'),
    { family: '-6' as const, words: ['default', 'via', 'fe80::1', 'metric', '50'] },
  ];
  expect(metric({ routes, addresses: [{ cidr: '2001:db8::7/64', metric: 50 }] })).toBeUndefined();
});
