import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import { describe, expect, test } from 'vitest';
import {
  canonicalAddress,
  parseAddress,
  parseInterfaceAddress,
  parseSubnet,
  renderAddress,
  subnetsOverlap,
} from '../../src/subnet.ts';

/** The same questions to a package that is used a lot. */
const four = (text: string) => new Address4(text);
const six = (text: string) => new Address6(text);

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6().filter((text) => !text.includes('.'));
const cidr4 = fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([address, prefix]) => `${address}/${prefix}`);
const cidr6 = fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map(([address, prefix]) => `${address}/${prefix}`);

describe('addresses', () => {
  test('of IPv4 are the numbers that they are elsewhere, there and back', () => {
    fc.assert(
      fc.property(ipv4, (text) => {
        const address = parseAddress(text);
        expect(address).toEqual({ family: 4, value: four(text).bigInt() });
        expect(address && renderAddress(address)).toBe(text);
      }),
    );
  });

  test('of IPv6 are the numbers that they are elsewhere, and have one spelling', () => {
    fc.assert(
      fc.property(ipv6, (text) => {
        expect(parseAddress(text)).toEqual({ family: 6, value: six(text).bigInt() });
        expect(canonicalAddress(text)).toBe(six(text).correctForm());
      }),
    );
  });

  test('of IPv6 with an IPv4 tail too', () => {
    fc.assert(
      fc.property(ipv4, (tail) => {
        expect(parseAddress(`::ffff:${tail}`)?.value).toBe(0xffffn * 2n ** 32n + four(tail).bigInt());
        expect(parseAddress(`64:ff9b::${tail}`)?.value).toBe(six(`64:ff9b::${tail}`).bigInt());
      }),
    );
  });

  test.for([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '010.0.0.1',
    '256.0.0.1',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '::1%lo',
    ':::',
    'g::',
    '1::2::3',
  ])('%j is none', (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(canonicalAddress(text)).toBeUndefined();
  });

  test('any text is an address or is not, as elsewhere', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789abcdef:./%'.split('')), maxLength: 20 }), (text) => {
        const isFour = Address4.isValid(text) && !text.includes('/');
        expect(parseAddress(text)?.family === 4).toBe(isFour);
      }),
    );
  });
});

describe('subnets', () => {
  test('begin and end where they do elsewhere', () => {
    fc.assert(
      fc.property(cidr4, (text) => {
        const subnet = parseSubnet(text);
        expect(subnet?.first).toBe(four(text).startAddress().bigInt());
        expect(subnet?.last).toBe(four(text).endAddress().bigInt());
        expect(subnet?.cidr).toBe(`${four(text).startAddress().correctForm()}/${text.split('/')[1]}`);
      }),
    );
    fc.assert(
      fc.property(cidr6, (text) => {
        const subnet = parseSubnet(text);
        expect(subnet?.first).toBe(six(text).startAddress().bigInt());
        expect(subnet?.last).toBe(six(text).endAddress().bigInt());
      }),
    );
  });

  test('hold what they hold elsewhere', () => {
    fc.assert(
      fc.property(cidr4, ipv4, (text, address) => {
        expect(parseSubnet(text)?.contains(address)).toBe(four(address).isInSubnet(four(text)));
      }),
    );
    fc.assert(
      fc.property(cidr6, ipv6, (text, address) => {
        expect(parseSubnet(text)?.contains(address)).toBe(six(address).isInSubnet(six(text)));
      }),
    );
    expect(parseSubnet('::/0')?.contains('10.0.0.1')).toBe(false);
  });

  test('hold both their ends, and the address at each place between', () => {
    fc.assert(
      fc.property(fc.oneof(cidr4, cidr6), fc.bigInt({ min: 0n, max: 2n ** 128n }), (text, wish) => {
        const subnet = parseSubnet(text);
        if (subnet === undefined) throw new Error(text);
        const offset = wish % (subnet.last - subnet.first + 1n);
        expect(subnet.contains(subnet.at(offset))).toBe(true);
        expect(parseAddress(subnet.at(offset))?.value).toBe(subnet.first + offset);
      }),
    );
  });

  test('overlap when one holds the beginning of the other, and both ways', () => {
    const near = fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 6, max: 32 }))
      .map(([octet, prefix]) => parseSubnet(`10.0.0.${octet}/${prefix}`))
      .filter((subnet) => subnet !== undefined);
    fc.assert(
      fc.property(near, near, (a, b) => {
        expect(subnetsOverlap(a, b)).toBe(a.contains(b.at(0)) || b.contains(a.at(0)));
        expect(subnetsOverlap(a, b)).toBe(subnetsOverlap(b, a));
      }),
    );
  });

  test('of different families have nothing in common', () => {
    const [v4, v6] = [parseSubnet('0.0.0.0/0'), parseSubnet('::/0')];
    expect(v4 && v6 && subnetsOverlap(v4, v6)).toBe(false);
  });

  test.for([
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '::/129',
    '/24',
    '10.0.0.0/24/24',
    '10.0.0/24',
  ])('%j is none', (text) => {
    expect(parseSubnet(text)).toBeUndefined();
    expect(parseInterfaceAddress(text)).toBeUndefined();
  });

  test('a family can be asked for', () => {
    expect(parseSubnet('fd00::/64', 4)).toBeUndefined();
    expect(parseSubnet('10.0.0.0/8', 6)).toBeUndefined();
    expect(parseSubnet('10.0.0.9/8', 4)?.cidr).toBe('10.0.0.0/8');
  });

  test('an address keeps its place in its network', () => {
    const parsed = parseInterfaceAddress('10.10.120.1/24');
    expect(parsed && renderAddress(parsed.address)).toBe('10.10.120.1');
    expect(parsed?.subnet.cidr).toBe('10.10.120.0/24');
  });
});
