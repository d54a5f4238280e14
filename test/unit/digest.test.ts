import fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/digest.ts';
import { anyText } from './any-text.ts';

test('is a name, and the same each time', () => {
  fc.assert(
    fc.property(anyText(), (text) => {
      expect(digestOf(text)).toMatch(/^[0-9a-f]{16}$/);
      expect(digestOf(text)).toBe(digestOf(`${text}`));
    }),
  );
});

test('100 000 texts that are much alike have as many names', () => {
  const names = new Set<string>();
  for (let number = 0; number < 100_000; number++) names.add(digestOf(`/usr/bin/qemu-system-${number}`));
  expect(names.size).toBe(100_000);
});
