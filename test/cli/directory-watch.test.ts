/** A directory that is looked at, whatever the kernel says about it. */
import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchDirectory, type DirectoryWatchOptions } from '../../src/switch/directory-watch.ts';
import { keptLog } from '../unit/switch/a-network.ts';
import { until } from '../unit/switch/a-process.ts';

let directory = '';
const ends: (() => void)[] = [];
beforeEach(() => {
  directory = path.join(mkdtempSync(path.join(os.tmpdir(), 'qrun-watch-')), 'watched');
  mkdirSync(directory);
});
afterEach(() => {
  for (const end of ends.splice(0)) end();
  rmSync(path.dirname(directory), { recursive: true });
});

function watched(watch?: DirectoryWatchOptions['watch']) {
  const log = keptLog();
  const looks = { count: 0 };
  const look = (): void => void (looks.count += 1);
  ends.push(watchDirectory({ directory, log, look, ...(watch !== undefined && { watch }) }));
  return { log, looks };
}

test('it is looked at once at the beginning, and again after a change', async () => {
  const { looks, log } = watched();
  expect(looks.count).toBe(1);
  writeFileSync(path.join(directory, 'x'), '');
  await until(() => looks.count > 1, 'another look');
  expect(log.lines).toEqual([]);
});

test('where the kernel has no more watches to give, it is looked at often, and that is told once', async () => {
  const { looks, log } = watched(() => {
    throw Object.assign(new Error('no'), { code: 'ENOSPC' });
  });
  await until(() => looks.count > 3, 'more looks');
  expect(log.lines).toHaveLength(1);
  expect(log.lines[0]).toContain('(ENOSPC): looking at it often instead');
});

test('a watch that fails later is made anew', async () => {
  const watchers: EventEmitter[] = [];
  watched(() => {
    const watcher = Object.assign(new EventEmitter(), { close: () => {} });
    watchers.push(watcher);
    return watcher;
  });
  expect(watchers).toHaveLength(1);
  watchers[0]?.emit('error', new Error('gone'));
  await until(() => watchers.length === 2, 'another watch');
});

test('it may be missing, and may be made again', async () => {
  rmSync(directory, { recursive: true });
  const { looks } = watched();
  mkdirSync(directory);
  await until(() => looks.count > 2, 'looks');
  rmSync(directory, { recursive: true });
  mkdirSync(directory);
  const before = looks.count;
  await until(() => looks.count > before, 'a look at the new one');
});
