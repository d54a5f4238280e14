import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isUnused } from '../../../src/networks/lock.ts';
import { tryLockFile, waitSharedLockFile } from '../../../src/system/flock.ts';

let place: string;
let users: string;
const held: number[] = [];
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-lock-'));
  users = path.join(place, 'users.lab');
});
afterEach(() => {
  for (const fd of held.splice(0)) closeSync(fd);
  rmSync(place, { recursive: true });
});

const share = async (): Promise<void> => {
  held.push((await waitSharedLockFile(users, 1000)) ?? -1);
};

test('a network is unused when nobody shares its lock', async () => {
  expect(isUnused({ users })).toBe(true);
  await share();
  await share();
  expect(isUnused({ users })).toBe(false);
  closeSync(held.pop() ?? -1);
  expect(isUnused({ users })).toBe(false);
  closeSync(held.pop() ?? -1);
  expect(isUnused({ users })).toBe(true);
});

test('a watcher that has the lock alone, because nobody shares it, is no user', () => {
  held.push(tryLockFile(users) ?? -1);
  expect(isUnused({ users })).toBe(true);
});

test('a watcher that waits for it changes nothing', async () => {
  await share();
  const watcher = spawn('flock', ['-x', users, 'true'], { stdio: 'ignore' });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(isUnused({ users })).toBe(false);
  watcher.kill('SIGKILL');
});

test('where no VM ever was, nothing is looked at and nothing is made', () => {
  expect(isUnused({ users })).toBe(true);
  expect(readdirSync(place)).toEqual([]);
});
