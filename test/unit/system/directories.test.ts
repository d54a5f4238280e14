import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { needsRoot } from '../../harness/needs.ts';
import { ensurePrivateDirectory, faultOfDirectory } from '../../../src/system/directories.ts';
import { checkStateFilesystem, networkFilesystemOf } from '../../../src/system/state-filesystem.ts';

const uid = process.getuid?.() ?? 0;
let dir: string;
const at = (name: string): string => path.join(dir, name);
beforeEach(() => (dir = mkdtempSync(path.join(tmpdir(), 'qrun-dirs-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const unsafe = expect.objectContaining({ code: 'unsafe-state' });

test('makes what is missing, for nobody else to list or write', () => {
  ensurePrivateDirectory(at('a/b/c'), { uid });
  for (const name of ['a', 'a/b', 'a/b/c']) expect(statSync(at(name)).mode & 0o777).toBe(uid === 0 ? 0o711 : 0o700);
  ensurePrivateDirectory(at('a/b/c'), { uid });
});

test('an existing directory keeps its mode', () => {
  mkdirSync(at('a'), { mode: 0o750 });
  ensurePrivateDirectory(at('a'), { uid });
  expect(statSync(at('a')).mode & 0o777).toBe(0o750);
});

describe('ABUSE 43: a directory that others can write to is refused', () => {
  test.each([
    ['itself, by others', 'a', 0o777],
    ['itself, by its group', 'a', 0o770],
    ['itself, even with the sticky bit', 'a', 0o1777],
    ['a parent', '.', 0o777],
  ])('%s', (_name, which, mode) => {
    mkdirSync(at('a'));
    chmodSync(at(which), mode);
    expect(() => ensurePrivateDirectory(at('a'), { uid })).toThrow(unsafe);
  });

  test('the message says which, and the hint mends it', () => {
    mkdirSync(at('a'));
    chmodSync(at('a'), 0o777);
    expect(() => ensurePrivateDirectory(at('a'), { uid })).toThrow(
      expect.objectContaining({ message: expect.stringContaining('mode 0777'), hint: `chmod go-w ${at('a')}` }),
    );
  });

  test('a sticky parent such as /tmp is fine', () => {
    chmodSync(dir, 0o1777);
    ensurePrivateDirectory(at('a'), { uid });
    expect(existsSync(at('a'))).toBe(true);
  });

  test('of another user', (context) => {
    needsRoot(context);
    mkdirSync(at('a/b'), { recursive: true });
    chownSync(at('a'), 12_345, 12_345);
    expect(() => ensurePrivateDirectory(at('a'), { uid })).toThrow(unsafe);
    expect(() => ensurePrivateDirectory(at('a/b'), { uid })).toThrow(unsafe);
    expect(() => ensurePrivateDirectory(at('a'), { uid: 12_345 })).not.toThrow();
  });

  test("an ordinary user's last component must be the user's own, root's is not enough", (context) => {
    needsRoot(context);
    chownSync(dir, 12_345, 12_345);
    mkdirSync(at('a'));
    expect(() => ensurePrivateDirectory(at('a'), { uid: 12_345 })).toThrow(unsafe);
  });
});

describe('ABUSE 42: symlinks', () => {
  test('the last component may not be one', () => {
    mkdirSync(at('real'));
    symlinkSync(at('real'), at('a'));
    expect(() => ensurePrivateDirectory(at('a'), { uid })).toThrow(unsafe);
  });

  test('one on the way is followed, and what it leads to is checked as well', () => {
    mkdirSync(at('real'));
    symlinkSync('real', at('link'));
    ensurePrivateDirectory(at('link/a'), { uid });
    expect(existsSync(at('real/a'))).toBe(true);
    chmodSync(at('real'), 0o777);
    expect(() => ensurePrivateDirectory(at('link/a'), { uid })).toThrow(unsafe);
  });

  test("another user's is not followed", (context) => {
    needsRoot(context);
    mkdirSync(at('real'));
    symlinkSync('real', at('link'));
    rmSync(at('link'));
    symlinkSync('real', at('link'));
    // lchown by way of the directory: root makes it for somebody else
    chownSync(dir, 0, 0);
    const { lchownSync } = process.getBuiltinModule('node:fs');
    lchownSync(at('link'), 12_345, 12_345);
    expect(() => ensurePrivateDirectory(at('link/a'), { uid })).toThrow(unsafe);
  });

  test('a loop ends', () => {
    symlinkSync('b', at('a'));
    symlinkSync('a', at('b'));
    expect(() => ensurePrivateDirectory(at('a/x'), { uid })).toThrow(unsafe);
  });
});

test('a file in the place of a directory is refused', () => {
  writeFileSync(at('a'), '');
  expect(() => ensurePrivateDirectory(at('a'), { uid })).toThrow(unsafe);
  expect(() => ensurePrivateDirectory(at('a/b'), { uid })).toThrow(unsafe);
});

test('faultOfDirectory looks and makes nothing', () => {
  expect(faultOfDirectory(dir, { uid })).toBeUndefined();
  expect(faultOfDirectory(at('none'), { uid })).toMatch(/does not exist/);
  expect(existsSync(at('none'))).toBe(false);
  chmodSync(dir, 0o777);
  expect(faultOfDirectory(dir, { uid })).toMatch(/can be written by others/);
});

test.each([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [-11317950, 'CIFS'], // the same number where statfs has a signed type
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9p'],
  [0x00c36400, 'CEPH'],
  [0x0bd00bd0, 'Lustre'],
  [0xef53, undefined], // ext4
  [0x01021994, undefined], // tmpfs
  [0x9123683e, undefined], // btrfs
])('the file system %i is %s', (type, name) => {
  expect(networkFilesystemOf(type)).toBe(name);
});

test('a local directory passes, also one that does not exist yet', () => {
  expect(() => checkStateFilesystem(dir)).not.toThrow();
  expect(() => checkStateFilesystem(at('not/there/yet'))).not.toThrow();
});
