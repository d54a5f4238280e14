import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressPool } from '../../../src/network/address-pool.ts';
import { derivedSubnet, layoutOf } from '../../../src/network/layout.ts';
import { parseAddress, parseSubnet } from '../../../src/subnet.ts';

const dhcp = (ranges: readonly [string, string][] = [], hosts: readonly string[] = []) => ({
  ranges: ranges.map(([from, to]) => ({ from, to })),
  hosts: hosts.map((ip) => ({ ip })),
});
const layout = (address: string, given = dhcp()) => layoutOf({ name: 'lab', addresses: [address], dhcp: given });
const spans = ({ ranges }: ReturnType<typeof layout>): string[] => ranges.map(({ from, to }) => `${from}-${to}`);

describe('ranges by default', () => {
  test.for<[string, string[]]>([
    ['10.1.1.1/24', ['10.1.1.50-10.1.1.250']],
    ['10.1.1.254/24', ['10.1.1.50-10.1.1.250']],
    ['10.1.1.100/24', ['10.1.1.50-10.1.1.99', '10.1.1.101-10.1.1.250']],
    ['10.1.0.1/16', ['10.1.0.50-10.1.255.250']],
    ['10.0.0.1/8', ['10.0.0.50-10.255.255.250']],
    ['10.1.1.1/25', ['10.1.1.32-10.1.1.126']],
    ['10.1.1.129/26', ['10.1.1.144-10.1.1.190']],
    ['10.1.1.1/27', ['10.1.1.3-10.1.1.30']],
    ['10.1.1.1/29', ['10.1.1.3-10.1.1.6']],
    ['10.1.1.6/29', ['10.1.1.2-10.1.1.5']],
    ['10.1.1.3/29', ['10.1.1.2-10.1.1.2', '10.1.1.4-10.1.1.6']],
  ])('of %s', ([address, expected]) => expect(spans(layout(address))).toEqual(expected));

  test('there are none without DHCP', () => {
    expect(layoutOf({ name: 'lab', addresses: ['10.1.1.1/24'] }).ranges).toEqual([]);
  });

  test('those that are written stay', () => {
    expect(spans(layout('10.1.1.1/24', dhcp([['10.1.1.7', '10.1.1.9']])))).toEqual(['10.1.1.7-10.1.1.9']);
  });
});

describe('the name server', () => {
  test.for<[string, ReturnType<typeof dhcp>, string | undefined]>([
    ['10.1.1.1/24', dhcp(), '10.1.1.2'],
    ['10.1.1.2/24', dhcp(), '10.1.1.1'],
    ['10.1.1.254/24', dhcp(), '10.1.1.1'],
    ['10.1.1.1/24', dhcp([['10.1.1.2', '10.1.1.20']]), '10.1.1.21'],
    ['10.1.1.1/24', dhcp([], ['10.1.1.2', '10.1.1.3']), '10.1.1.4'],
    ['10.1.1.1/29', dhcp([['10.1.1.2', '10.1.1.6']]), undefined],
    ['10.0.0.1/8', dhcp([['10.0.0.2', '10.200.0.0']]), '10.200.0.1'],
  ])('of %s', ([address, given, expected]) => expect(layout(address, given).dnsServer).toBe(expected));
});

test('the name server keeps off hosts that have addresses of their own', () => {
  const given = { name: 'lab', addresses: ['10.1.1.1/24'], dhcp: dhcp() };
  expect(layoutOf({ ...given, forwards: [{ guest: '10.1.1.2' }, { guest: 'web1' }] }).dnsServer).toBe('10.1.1.3');
  expect(layoutOf({ ...given, dns: { hosts: [{ ip: '10.1.1.2' }] } }).dnsServer).toBe('10.1.1.3');
});

describe('a network of which nothing is written', () => {
  test('follows from the name, and is the same everywhere', () => {
    expect(derivedSubnet('default').cidr).toBe('10.91.222.0/24');
    expect(layoutOf({ name: 'default', addresses: [], dhcp: dhcp() })).toMatchObject({
      gateway: '10.91.222.1',
      dnsServer: '10.91.222.2',
      ranges: [{ from: '10.91.222.50', to: '10.91.222.250' }],
      derived: true,
    });
  });

  test('lies in 10.64.0.0/10, whatever the name', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const subnet = derivedSubnet(name);
        expect(subnet.prefix).toBe(24);
        expect(parseSubnet('10.64.0.0/10')?.contains(subnet.at(0))).toBe(true);
      }),
    );
  });

  test('is another one for nearly every name', () => {
    const names = Array.from({ length: 100 }, (_, index) => `net${index}`);
    expect(new Set(names.map((name) => derivedSubnet(name).cidr)).size).toBeGreaterThan(95);
  });

  test('has an IPv4 network also when IPv6 alone is written', () => {
    expect(layoutOf({ name: 'lab', addresses: ['fd00::1/64'] }).derived).toBe(true);
  });
});

test('whatever is written, nobody gets an address that is another one’s', () => {
  const network = fc.tuple(fc.integer({ min: 8, max: 29 }), fc.bigInt({ min: 0n, max: 2n ** 32n }));
  fc.assert(
    fc.property(
      network,
      fc.array(fc.bigInt({ min: 0n, max: 2n ** 24n }), { maxLength: 4 }),
      ([prefix, wish], others) => {
        const subnet = parseSubnet(`10.0.0.0/${prefix}`);
        if (subnet === undefined) throw new Error('no subnet');
        const place = (offset: bigint): string => subnet.at(1n + (offset % (subnet.last - subnet.first - 1n)));
        const gateway = place(wish);
        const hosts = [...new Set(others.map(place))].filter((ip) => ip !== gateway);
        const found = layout(`${gateway}/${prefix}`, dhcp([], hosts));
        const kept = [gateway, ...(found.dnsServer === undefined ? [] : [found.dnsServer])];
        expect(hosts).not.toContain(found.dnsServer);
        expect(found.dnsServer).not.toBe(gateway);
        for (const { from, to } of found.ranges) {
          expect(subnet.contains(from) && subnet.contains(to)).toBe(true);
          expect([subnet.first, subnet.last]).not.toContain(parseAddress(from)?.value);
          expect([subnet.first, subnet.last]).not.toContain(parseAddress(to)?.value);
        }
        const pool = addressPool(
          { dhcp: { server: 'auto', leaseS: 60, options: [], ranges: [], hosts: hosts.map((ip) => ({ ip, vm: ip })) } },
          { ranges: found.ranges, kept },
        );
        for (const taken of [...kept, ...hosts]) expect(pool.isDynamic(taken)).toBe(false);
        const first = pool.firstFree(new Set());
        if (first !== undefined) expect(subnet.contains(first)).toBe(true);
      },
    ),
  );
});
