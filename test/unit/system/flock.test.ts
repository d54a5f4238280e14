import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  isStillAt,
  openLockFile,
  tryLock,
  tryLockFile,
  waitLock,
  waitLockFile,
  withLock,
} from '../../../src/system/flock.ts';
import { findHolders } from '../../../src/system/processes.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'qrun-flock-'));
  file = path.join(dir, 'lock');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('one descriptor has the lock, another open of the same file does not get it, and gets it after a close', () => {
  const first = openLockFile(file);
  const second = openLockFile(file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(tryLock(first)).toBe(true);
  expect(tryLock(first)).toBe(true);
  expect(tryLock(second)).toBe(false);
  closeSync(first);
  expect(tryLock(second)).toBe(true);
  closeSync(second);
  expect(existsSync(file)).toBe(true);
});

test('a child that inherited the descriptor keeps the lock, and its end frees it at once, by SIGKILL too', async () => {
  const fd = openLockFile(file);
  expect(tryLock(fd)).toBe(true);
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  closeSync(fd);
  expect(tryLockFile(file)).toBeUndefined();
  expect(findHolders(file)).toEqual([child.pid]);
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
  const again = tryLockFile(file);
  expect(again).toBeTypeOf('number');
  closeSync(again ?? -1);
});

test('waitLock gives up in time', async () => {
  const holder = openLockFile(file);
  expect(tryLock(holder)).toBe(true);
  const waiting = openLockFile(file);
  expect(await waitLock(waiting, 30)).toBe(false);
  closeSync(waiting);
  closeSync(holder);
});

test('waitLock gets what another part of this process gives up', async () => {
  const holder = openLockFile(file);
  expect(tryLock(holder)).toBe(true);
  setTimeout(() => closeSync(holder), 20);
  const fd = await waitLockFile(file, 10_000);
  expect(fd).toBeTypeOf('number');
  closeSync(fd ?? -1);
});

test('withLock lets one in at a time, also within one process, and is free after an error', async () => {
  let inside = 0;
  let most = 0;
  const act = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 8 }, () => withLock(file, 10_000, act)));
  expect(most).toBe(1);
  await expect(withLock(file, 1000, () => Promise.reject(new Error('oops')))).rejects.toThrow('oops');
  expect(await withLock(file, 0, () => 'free')).toBe('free');
});

test('withLock says which lock it did not get', async () => {
  const holder = openLockFile(file);
  tryLock(holder);
  await expect(withLock(file, 10, () => 1)).rejects.toMatchObject({
    code: 'in-use',
    message: expect.stringContaining(file),
  });
  closeSync(holder);
});

test('a lock on a file that was swapped meanwhile counts for nothing', () => {
  const fd = openLockFile(file);
  expect(isStillAt(fd, file)).toBe(true);
  renameSync(file, `${file}.old`);
  expect(isStillAt(fd, file)).toBe(false);
  writeFileSync(file, '');
  expect(isStillAt(fd, file)).toBe(false);
  unlinkSync(file);
  closeSync(fd);
});

test('ABUSE 42: a symlink, a FIFO and a directory at the path of a lock are refused, the victim is unchanged', () => {
  symlinkSync(path.join(dir, 'victim'), file);
  expect(() => openLockFile(file)).toThrow(expect.objectContaining({ code: 'unsafe-state' }));
  expect(existsSync(path.join(dir, 'victim'))).toBe(false);
  rmSync(file);
  execFileSync('mkfifo', [file]);
  expect(() => openLockFile(file)).toThrow(expect.objectContaining({ code: 'unsafe-state' }));
  rmSync(file);
  mkdirSync(file);
  expect(() => openLockFile(file)).toThrow(expect.objectContaining({ code: 'unsafe-state' }));
});
