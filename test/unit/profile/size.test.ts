import { expect, test } from 'vitest';
import { parseMemory, parseSize } from '../../../src/profile/size.ts';

test.each([
  ['1K', 1024],
  ['20G', 20 * 1024 ** 3],
  ['1.5g', 1.5 * 1024 ** 3],
  ['0.5K', 512],
  ['4096T', 4096 * 1024 ** 4],
])('%s is %d bytes', (text, bytes) => {
  expect(parseSize(text)).toEqual({ value: bytes });
});

test.each([
  '',
  'G',
  '20',
  '20 G',
  '20GG',
  '-1G',
  '+1G',
  '1.G',
  '.5G',
  '1,5G',
  '4097T',
  '0.1K',
  '0.3G',
  '9'.repeat(400) + 'G',
  '1e2G',
])('%j is no size', (text) => {
  expect(parseSize(text)).toHaveProperty('fault');
});

test('a unit of another system is told how to write it', () => {
  expect(parseSize('20GiB')).toEqual({ fault: 'write 20G, which is in binary units already' });
  expect(parseMemory('20GB')).toEqual({ fault: 'write 20G, which is in binary units already' });
});

test('memory is whole MiB', () => {
  expect(parseMemory(512)).toEqual({ value: 512 });
  expect(parseMemory('1048576K')).toEqual({ value: 1024 });
  for (const bad of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e12, '1K', '1025K']) {
    expect(parseMemory(bad)).toHaveProperty('fault');
  }
});
