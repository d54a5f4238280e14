import { closeSync, mkdtempSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isShared, parseFlocks } from '../../../src/system/flock-list.ts';
import { tryLockFile } from '../../../src/system/flock.ts';

let place: string;
beforeEach(() => void (place = mkdtempSync(path.join(tmpdir(), 'qrun-locks-'))));
afterEach(() => rmSync(place, { recursive: true }));

test('flocks that are held, shared or not; not who waits for one, nor other kinds of locks', () => {
  const text = [
    '1: FLOCK  ADVISORY  READ 4711 fe:00:2222052 0 EOF',
    '2: FLOCK  ADVISORY  WRITE 4712 fe:00:2222053 0 EOF',
    '2: -> FLOCK  ADVISORY  READ 4713 fe:00:2222053 0 EOF',
    '3: POSIX  ADVISORY  READ 4714 fe:00:2222054 0 EOF',
    '4: OFDLCK ADVISORY  READ -1 fe:00:2222055 0 EOF',
    '',
  ].join('\n');
  expect(parseFlocks(text)).toEqual([
    { key: 'fe:00:2222052', shared: true },
    { key: 'fe:00:2222053', shared: false },
  ]);
});

test('the list is believed where it shows the lock that is held, and nowhere else', (context) => {
  const [own, file, link] = ['own', 'file', 'link'].map((name) => path.join(place, name)) as [string, string, string];
  // in a container the list has none of a process that has ended, as flock(1) has
  if (readlinkSync('/proc/self/ns/pid') !== 'pid:[4026531836]') context.skip('not in the first pid namespace');
  expect(isShared(file, own)).toBeUndefined();
  const witness = tryLockFile(own) ?? -1;
  expect(isShared(file, own)).toBe(false);
  const share = tryLockFile(file, 'shared') ?? -1;
  expect(isShared(file, own)).toBe(true);
  symlinkSync(file, link);
  expect(isShared(link, own)).toBeUndefined();
  closeSync(share);
  expect(isShared(file, own)).toBe(false);
  const alone = tryLockFile(file) ?? -1;
  expect(isShared(file, own)).toBe(false);
  closeSync(alone);
  closeSync(witness);
  expect(isShared(file, own)).toBeUndefined();
});
