import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closestOf, editDistance } from '../../../src/profile/closest.ts';

describe('editDistance', () => {
  test.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['memory', 'memory', 0],
    ['memory', 'memroy', 1],
    ['memory', 'memor', 1],
    ['kitten', 'sitting', 3],
  ])('%j to %j is %d', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
  });

  test('is the same both ways, and never more than the longer word', () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        expect(editDistance(b, a)).toBe(distance);
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
        expect(distance === 0).toBe(a === b);
      }),
    );
  });
});

describe('closestOf', () => {
  const known = ['memory', 'machine', 'nics', 'readOnly'];

  test('gives the nearest word, whatever its case', () => {
    expect(closestOf('memroy', known)).toBe('memory');
    expect(closestOf('READONLY', known)).toBe('readOnly');
    expect(closestOf('nic', known)).toBe('nics');
  });

  test('gives nothing rather than nonsense', () => {
    expect(closestOf('zebra', known)).toBeUndefined();
    expect(closestOf('', known)).toBeUndefined();
    expect(closestOf('x'.repeat(100_000), known)).toBeUndefined();
    expect(closestOf('memory', [])).toBeUndefined();
  });

  test('knows other spellings when it is told them', () => {
    const spellings = (word: string): string[] => (word === 'memory' ? ['ram'] : []);
    expect(closestOf('ram', known, spellings)).toBe('memory');
    expect(closestOf('ram', known)).toBeUndefined();
  });
});
