import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { VmName } from '../../../src/names.ts';
import { addressPool } from '../../../src/network/address-pool.ts';
import type { Dhcp } from '../../../src/network/network.ts';
import { forgetAddresses, hasAddress, openAddressBook } from '../../../src/networks/address-book.ts';
import { networkFiles, type NetworkFiles } from '../../../src/plan/network-files.ts';

let place: string;
let files: NetworkFiles;
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-book-'));
  const places = { config: [], examples: '', state: place, runtime: place, cache: place, host: place };
  files = networkFiles(places, 'lab' as VmName);
});
afterEach(() => rmSync(place, { recursive: true }));

const dhcp = (hosts: Dhcp['hosts']): Dhcp => ({ server: 'auto', ranges: [], leaseS: 3600, options: [], hosts });
const pool = (from: string, to: string, hosts: Dhcp['hosts'] = []) =>
  addressPool({ dhcp: dhcp(hosts) }, { ranges: [{ from, to }], kept: ['10.1.0.51'] });
const open = (inUse: readonly string[] = [], last = '10.1.0.53', hosts: Dhcp['hosts'] = []) =>
  openAddressBook({ files, pool: pool('10.1.0.50', last, hosts), uid: process.getuid?.() ?? 0, inUse });

describe('the address book', () => {
  test('gives each VM one address of the range, the same ever after, and none that is kept', () => {
    const book = open();
    expect(['a', 'b', 'a', 'b/net1'].map(book.reserve)).toEqual(['10.1.0.50', '10.1.0.52', '10.1.0.50', '10.1.0.53']);
    book.save();
    expect(['b/net1', 'b', 'a'].map(open().reserve)).toEqual(['10.1.0.53', '10.1.0.52', '10.1.0.50']);
  });

  test('changes nothing on the disk before it is told to', () => {
    open().reserve('a');
    expect(() => readFileSync(files.addresses)).toThrow('ENOENT');
  });

  test('what the definition says comes first, and is given to nobody else', () => {
    const book = open([], '10.1.0.53', [{ vm: 'db', ip: '10.1.0.50' }]);
    expect(['a', 'db', 'b'].map(book.reserve)).toEqual(['10.1.0.52', '10.1.0.50', '10.1.0.53']);
  });

  test('an address that has left the range is not kept', () => {
    const book = open();
    ['a', 'b', 'c'].map(book.reserve);
    book.save();
    expect(open([], '10.1.0.52').addressOf('c')).toBeUndefined();
    expect(open([], '10.1.0.52').addressOf('b')).toBe('10.1.0.52');
  });

  test('ABUSE 19: when all are given away, the longest unused goes on, and one that is in use never does', () => {
    const book = open();
    ['a', 'b', 'c'].map(book.reserve);
    book.save();
    expect(open(['a', 'c']).reserve('d')).toBe('10.1.0.52');
    expect(() => open(['a', 'b', 'c']).reserve('d')).toThrow('network lab: all its 4 addresses are in use');
  });

  test('a network without ranges has none to give, and that is no error', () => {
    const none = openAddressBook({
      files,
      pool: addressPool({}, { ranges: [], kept: [] }),
      uid: process.getuid?.() ?? 0,
    });
    expect(none.reserve('a')).toBeUndefined();
  });

  test('forgets a VM with all its NICs', () => {
    const book = open();
    ['a', 'a/net1', 'ab'].map(book.reserve);
    book.save();
    expect([hasAddress(files, 'a'), hasAddress(files, 'b')]).toEqual([true, false]);
    forgetAddresses(files, 'a');
    expect(open().entries()).toEqual({ ab: '10.1.0.53' });
    expect(hasAddress(files, 'a')).toBe(false);
  });
});
