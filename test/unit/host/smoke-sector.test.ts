import { expect, test } from 'vitest';
import { buildSmokeSector } from '../../../src/host/smoke-sector.ts';

test('the sector is one sector with the mark of a bootable one', () => {
  const sector = buildSmokeSector();
  expect(sector).toHaveLength(512);
  expect(sector.subarray(510).toString('hex')).toBe('55aa');
});

test('the code ends before the mark, and the last row is the address of the exception table', () => {
  const sector = buildSmokeSector();
  expect(sector.subarray(390, 400).toString('hex')).toBe('3f0000400080ffffffff');
  expect(sector.subarray(400, 510).every((byte) => byte === 0)).toBe(true);
});
