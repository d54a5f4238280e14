import { expect, test } from 'vitest';
import { assignTaps } from '../../../src/launch/found-taps.ts';
import type { PlannedNic } from '../../../src/plan/launch-plan.ts';
import type { Mac } from '../../../src/names.ts';

const aNic = (id: string, hostInterface?: string): PlannedNic => ({
  id,
  kind: 'bridge',
  model: 'virtio-net-pci',
  mac: '52:54:00:00:00:01' as Mac,
  netdev: id,
  source: 'br0',
  ...(hostInterface !== undefined && { hostInterface }),
});
const tap = (index: number, bridge?: string) => ({
  name: `tap${index}`,
  index,
  ...(bridge !== undefined && { bridge }),
});
const namesOf = (nics: readonly PlannedNic[]) => nics.map(({ hostInterface }) => hostInterface);

test('taps go to the NICs of their bridge in order, and to no other', () => {
  const nics = [aNic('a'), aNic('b'), aNic('c', 'tap3'), aNic('d'), aNic('e')];
  const taps = ['a', 'b', 'd'].map((nic) => ({ nic, bridge: nic === 'b' ? 'br1' : 'br0' }));
  const found = [tap(1, 'br0'), tap(2, 'br1'), tap(3, 'br0'), tap(4, 'br0'), tap(5)];
  expect(namesOf(assignTaps({ nics, taps }, found))).toEqual(['tap1', 'tap2', 'tap3', 'tap4', undefined]);
});

test('what is not found is not said', () => {
  const nics = [aNic('a'), aNic('b')];
  const taps = [
    { nic: 'a', bridge: 'br0' },
    { nic: 'b', bridge: 'br0' },
  ];
  expect(namesOf(assignTaps({ nics, taps }, [tap(7, 'br0'), tap(8, 'br9')]))).toEqual(['tap7', undefined]);
  expect(namesOf(assignTaps({ nics }, [tap(7, 'br0')]))).toEqual([undefined, undefined]);
});
