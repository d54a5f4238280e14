/** The lock file of a port gets another taker: whatever its last one wrote into it. */
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, type TestContext } from 'vitest';
import { lockPortFor, makePortLock } from '../../../src/resources/port-lock.ts';

const [before, after] = [
  { uid: 54_320, gid: 54_321, mode: 0o660 },
  { uid: 54_322, gid: 0, mode: 0o600 },
];

let place: string;
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-port-lock-'));
});
afterEach(() => {
  rmSync(place, { recursive: true });
});

const lockFile = (): string => path.join(place, '0');

/** Made for its first taker, who wrote that into it. */
function madeWith(text: string, context: TestContext): string {
  if (process.getuid?.() !== 0) return context.skip('only root gives a file to somebody else');
  makePortLock(lockFile(), before);
  writeFileSync(lockFile(), text);
  return lockFile();
}

const rights = (file: string) => {
  const { uid, gid, mode } = statSync(file);
  return { uid, gid, mode: mode & 0o7777 };
};

test('another file takes its place, with who had the port last', (context) => {
  const file = madeWith('{"v":1}', context);
  const { ino } = statSync(file);
  const fd = lockPortFor(file, after);
  expect(fd).toBeDefined();
  expect(rights(file)).toEqual(after);
  expect(statSync(file).ino).not.toBe(ino);
  expect(readFileSync(file, 'utf8')).toBe('{"v":1}');
  expect(lockPortFor(file, after)).toBeUndefined();
  closeSync(fd ?? -1);
});

test('more than any holder’s words is left out, and keeps the port from nobody', (context) => {
  const file = madeWith('x'.repeat(5000), context);
  makePortLock(file, after);
  expect(rights(file)).toEqual(after);
  expect(readFileSync(file, 'utf8')).toBe('');

  writeFileSync(file, 'x'.repeat(5000));
  const fd = lockPortFor(file, before);
  expect(fd).toBeDefined();
  expect(rights(file)).toEqual(before);
  closeSync(fd ?? -1);
});
