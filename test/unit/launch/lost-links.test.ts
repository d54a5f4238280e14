/** What becomes of an interface that no journal knows. */
import { expect, test } from 'vitest';
import { digestOf } from '../../../src/digest.ts';
import type { LinkUse } from '../../../src/host/link-use.ts';
import { judge } from '../../../src/launch/lost-links.ts';
import type { LinkAlias } from '../../../src/link-name.ts';

const alias: LinkAlias = { vm: 'web1', nic: 'net0', role: 'tap', state: digestOf('/s/qrun') };
const use = (changes: Partial<LinkUse> = {}): LinkUse => ({ users: [], locks: [], complete: true, ...changes });
const verdictOf = (changes: Partial<LinkUse>, of: LinkAlias = alias) => judge({ alias: of }, use(changes));
const why = (text: string) => ({ why: expect.stringContaining(text) });

test('nobody has it, nobody makes it, and everybody was seen: dead', () => {
  expect(verdictOf({})).toBe('dead');
});

test('one that a process has open, or whose VM’s lock one has open, is alive, also when its state directory is gone', () => {
  expect(verdictOf({ users: [{ pid: 7, program: 'qemu', how: 'open' }], complete: false })).toBe('alive');
  expect(verdictOf({ locks: [{ pid: 7, path: '/s/qrun/locks/vm.web1' }] })).toBe('alive');
  expect(verdictOf({ locks: [{ pid: 7, path: '/s/qrun/locks/vm.web1 (deleted)' }] })).toBe('alive');
});

test('what is not known is told, and not taken', () => {
  expect(verdictOf({ complete: false })).toEqual(why('not every process'));
  expect(verdictOf({ users: [{ pid: 7, program: 'tcpdump', how: 'names' }] })).toEqual(why('pid 7 (tcpdump)'));
  // the same directory is called otherwise from within another root
  expect(verdictOf({ locks: [{ pid: 7, path: '/chroot/s/qrun/locks/vm.web1' }] })).toEqual(why('pid 7'));
  expect(verdictOf({}, { ...alias, vm: 'net/lan0', nic: 'port0' })).toEqual(why('lan0'));
});
