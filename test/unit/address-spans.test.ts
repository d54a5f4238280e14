/** Sets of addresses: read, joined, compared. */
import { expect, test } from 'vitest';
import { joinSpans, parseSpan, shareOf, type AddressSpan } from '../../src/address-spans.ts';

const spans = (...texts: string[]): AddressSpan[] => texts.flatMap((text) => parseSpan(text) ?? []);

test('an address, a network, a range; nothing else, and no two families in one', () => {
  expect(parseSpan('10.0.0.1')).toEqual({ family: 4, from: 0x0a00_0001n, to: 0x0a00_0001n });
  expect(parseSpan('10.0.0.7/24')).toEqual({ family: 4, from: 0x0a00_0000n, to: 0x0a00_00ffn });
  expect(parseSpan('10.0.0.1-10.0.0.9')).toEqual({ family: 4, from: 0x0a00_0001n, to: 0x0a00_0009n });
  expect(parseSpan('::/0')).toEqual({ family: 6, from: 0n, to: (1n << 128n) - 1n });
  for (const text of ['', 'tap0', '10.0.0.1-::1', '10.0.0.0/33', '10.0.0.1-', '10.0.0'])
    expect(parseSpan(text)).toBeUndefined();
});

test('those that meet or are neighbours are one; those of two families never', () => {
  expect(joinSpans(spans('10.0.1.0/24', '10.0.0.0/24', '10.0.0.9', '10.0.3.0/24'))).toEqual(
    spans('10.0.0.0/23', '10.0.3.0/24'),
  );
  expect(joinSpans(spans('::/0', '0.0.0.0/0'))).toEqual(spans('0.0.0.0/0', '::/0'));
});

test('how many of them are among others', () => {
  const share = (some: string[], others: string[]): string => shareOf(spans(...some), spans(...others));
  expect(share(['10.0.0.0/24'], ['10.0.0.0/25', '10.0.0.128/25'])).toBe('all');
  expect(share(['10.0.0.0/24', '10.1.0.0/24'], ['10.0.0.0/16'])).toBe('some');
  expect(share(['10.0.0.0/24'], ['10.0.0.7'])).toBe('some');
  expect(share(['10.0.0.0/24'], ['10.0.1.0/24', '::/0'])).toBe('none');
  expect(share(['10.0.0.0/24'], [])).toBe('none');
});
