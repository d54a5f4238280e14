import * as net from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isIP, isIPv4, isIPv6 } from '../../../src/build/ip-literal.ts';
import { runs } from '../quick.ts';

function same(text: string): void {
  expect({ text, ip: isIP(text), v4: isIPv4(text), v6: isIPv6(text) }).toEqual({
    text,
    ip: net.isIP(text),
    v4: net.isIPv4(text),
    v6: net.isIPv6(text),
  });
}

test.each([
  '',
  '127.0.0.1',
  '256.0.0.1',
  '01.0.0.1',
  '1.2.3',
  '1.2.3.4.5',
  ' 1.2.3.4',
  '1.2.3.4\n',
  '::',
  '::1',
  ':::',
  '1::2::3',
  ':1',
  '1:',
  'fe80::1%eth0',
  'fe80::1%',
  'fe80::1%eth0/64',
  '::ffff:1.2.3.4',
  '1.2.3.4::',
  '::1.2.3.4:5',
  '1:2:3:4:5:6:7:8',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7::',
  '::1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8::',
  '1:2:3:4:5:6:1.2.3.4',
  '1:2:3:4:5:6:7:1.2.3.4',
  '1:2:3:4:5::1.2.3.4',
  '1:2:3:4:5:6::1.2.3.4',
  '12345::',
  'g::',
])('%j is what node:net says it is', same);

test('so is whatever else looks like an address', () => {
  const part = fc.oneof(
    fc.integer({ min: 0, max: 300 }).map(String),
    fc.integer({ min: 0, max: 0x1ffff }).map((number) => number.toString(16)),
    fc.constantFrom(':', '::', '.', '', '%', 'eth0', '0', '00', 'ffff', 'G'),
  );
  const shuffled = fc
    .array(fc.oneof(part, fc.constantFrom(':', '.', ':')), { maxLength: 18 })
    .map((parts) => parts.join(''));
  const colons = fc.array(part, { maxLength: 10 }).map((parts) => parts.join(':'));
  const dots = fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.'));
  const address = fc.oneof(shuffled, colons, dots, fc.ipV4(), fc.ipV6(), fc.string());
  fc.assert(fc.property(address, same), { numRuns: runs(20_000) });
});
