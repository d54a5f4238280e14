/** Who has the ports of a network of root's, in words. */
import { expect, test } from 'vitest';
import { portHoldersInWords } from '../../../src/networks/port-choice.ts';

const [own, other] = [54_320, 54_321];
const of = (uid: number, vm: string, nic = 'net0') => ({ uid, state: 's', vm, nic, at: '' });

test('one’s own VMs by their names, others’ by whose they are; several of one user are several', () => {
  const words = (...uses: readonly ReturnType<typeof of>[]) => portHoldersInWords(uses, own);
  expect(words(of(other, 'web1'))).toEqual(['a VM of uid 54321']);
  expect(words(of(other, 'web1'), of(other, 'web1', 'net1'))).toEqual(['a VM of uid 54321']);
  expect(words(of(other, 'web1'), of(other, 'web2'))).toEqual(['VMs of uid 54321']);
  // of two state directories
  expect(words(of(other, 'web1'), { ...of(other, 'web1'), state: 't' })).toEqual(['VMs of uid 54321']);
  expect(words(of(own, 'web1'), of(other, 'web1'), of(own, 'web1', 'net1'), of(own, 'web2'))).toEqual([
    ...['web1', 'web2'],
    'a VM of uid 54321',
  ]);
});
