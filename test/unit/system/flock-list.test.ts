import { closeSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
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

const patience = { timeout: 30_000 };

/** Others on this machine may have so many locks that the list comes in pieces, between which a row may move: it is there in the next reading. */
const list = (): string => readFileSync('/proc/locks', 'latin1');

test('the list is believed where it shows the lock that is held, and nowhere else', async (context) => {
  const [own, file, link] = ['own', 'file', 'link'].map((name) => path.join(place, name)) as [string, string, string];
  // in a container the list has none of a process that has ended, as flock(1) has
  if (readlinkSync('/proc/self/ns/pid') !== 'pid:[4026531836]') context.skip('not in the first pid namespace');
  const becomes = async (one: string, wanted: boolean): Promise<void> =>
    await vi.waitFor(() => expect(isShared(one, own, list())).toBe(wanted), patience);
  expect(isShared(file, own, list())).toBeUndefined();
  const witness = tryLockFile(own) ?? -1;
  await becomes(file, false);
  const share = tryLockFile(file, 'shared') ?? -1;
  await becomes(file, true);
  symlinkSync(file, link);
  expect(isShared(link, own, list())).toBeUndefined();
  closeSync(share);
  await becomes(file, false);
  const alone = tryLockFile(file) ?? -1;
  await becomes(file, false);
  closeSync(alone);
  closeSync(witness);
  await vi.waitFor(() => expect(isShared(file, own, list())).toBeUndefined(), patience);
});

test('a list without it is not', () => {
  const [own, file] = [path.join(place, 'own'), path.join(place, 'file')];
  const witness = tryLockFile(own) ?? -1;
  expect(isShared(file, own, '1: FLOCK  ADVISORY  READ 4711 fe:00:1 0 EOF\n')).toBeUndefined();
  closeSync(witness);
});
