/** What rules cannot do is said of the definition, with its line. */
import { describe, expect, test } from 'vitest';
import { networkOf, saidOf } from '../network-text.ts';

const root = { uid: 0 };
const both = 'addresses: [10.1.1.1/24, "fd00:1::1/64"]\n';

describe('forwards', () => {
  test.for([
    '"8080:web1:80"',
    '"0.0.0.0:8080:10.1.1.9:80"',
    '"[::]:8080:[fd00:1::9]:80"',
    '"[2001:db8::1]:8080:six:80"',
    '"%eth0:8080:web1:80"',
  ])('%s', (forward) => {
    const hosts = 'dhcp: { hosts: [{ vm: six, ip: "fd00:1::7" }] }\n';
    expect(saidOf(`${both}${hosts}forwards: [${forward}]`, root)).toEqual([]);
  });

  test.for<[string, string]>([
    ['"[::1]:8080:[fd00:1::9]:80"', '2:12 forwards[0]: the kernel lets nobody but the host itself have packets of ::1'],
    ['"[::]:8080:10.1.1.9:80"', '2:12 forwards[0]: :: is of IPv6 and 10.1.1.9 of IPv4'],
    ['"[::]:8080:web1:80"', '2:12 forwards[0]: :: is of IPv6 and 10.1.1.1 of IPv4'],
    ['"8080:[fd00:1::9]:80"', '2:12 forwards[0]: 127.0.0.1 is of IPv4 and fd00:1::9 of IPv6'],
    ['"8080:10.9.9.9:80"', '2:12 forwards[0]: 10.9.9.9 does not lie in 10.1.1.0/24 or fd00:1::/64'],
  ])('%s is a fault', ([forward, said]) => {
    const faults = saidOf(`${both}forwards: [${forward}]`, root);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(said);
  });

  test('where the subnet follows from the name, too', () => {
    expect(saidOf('forwards: ["8080:web1:80"]', root)).toEqual([]);
    expect(saidOf('forwards: ["[::]:8080:web1:80"]', root)[0]).toContain('rules translate no family into the other');
  });
});

describe('interfaces', () => {
  test.for<[string, string]>([
    ['nat: { dev: "eth*" }', 'nat.dev: "eth*" cannot be named in rules'],
    ['nat: { dev: "@eth0" }', 'nat.dev: "@eth0" cannot be named in rules'],
    ['forward: route\nroute: { dev: "eth*" }', 'route.dev: "eth*" cannot be named in rules'],
  ])('%s is a fault', ([text, said]) => {
    const faults = saidOf(text, root);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(said);
  });

  test('are kept', () => {
    expect(networkOf('nat: { dev: eth0, ipv6: true }', root).nat).toEqual({ dev: 'eth0', ipv6: true });
    expect(networkOf('forward: route\nroute: { dev: eth0.5 }', root).route).toEqual({ dev: 'eth0.5' });
  });

  test('route belongs to its mode, nat to its own', () => {
    expect(saidOf('route: { dev: eth0 }', root)[0]).toContain('route belongs to forward: route, and this is nat');
    expect(saidOf('forward: route\nnat: { ipv6: true }', root)[0]).toContain('nat belongs to forward: nat');
    expect(saidOf('forward: nat\nscope: user\nnat: { ipv6: true }')[0]).toContain('cannot honour nat');
  });
});
