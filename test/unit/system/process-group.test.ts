/** Who is ended with a session's leader: all that it started, and nobody where it is not proven to be it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { delay } from '../../../src/system/delay.ts';
import { endGroups, parseLeaders, renderLeaders, type GroupLeader } from '../../../src/system/process-group.ts';

const mark = 'QRUN_TEST_GROUP=of-this-test';
const options = { mark, graceMs: 5000 };

let place: string;
const started: ChildProcess[] = [];
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-group-'));
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (hasEnded(child)) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(place, { recursive: true });
});

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

/** A leader with the mark in its environment, once its script has come so far as to make `ready`. */
async function lead(script: string, { detached = true } = {}): Promise<GroupLeader> {
  const child = spawn('/bin/sh', ['-c', script, 'sh', path.join(place, 'ready')], {
    detached,
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], QRUN_TEST_GROUP: 'of-this-test' },
  });
  started.push(child);
  while (!existsSync(path.join(place, 'ready'))) await delay(5);
  const [leader] = parseLeaders(renderLeaders([child.pid ?? 0]) ?? '');
  if (leader === undefined) throw new Error('it has ended');
  return leader;
}

const isAlive = ({ pid }: GroupLeader): boolean => renderLeaders([pid]) !== undefined;

test('the leader and what it started end together', async () => {
  const leader = await lead('sleep 60 & : >"$1"; wait');
  expect(await endGroups([leader], options)).toBe(true);
  const [child] = started as [ChildProcess];
  if (!hasEnded(child)) await once(child, 'exit');
  expect(isAlive(leader)).toBe(false);
  expect(child.signalCode).toBe('SIGTERM');
});

test.for([
  ['another mark', (leader: GroupLeader) => [leader], 'QRUN_TEST_GROUP=of-this-test-too'],
  ['another start time', ({ pid, startTime }: GroupLeader) => [{ pid, startTime: startTime + 1 }], mark],
  ['one of several that is gone', (leader: GroupLeader) => [leader, { pid: 2 ** 22, startTime: 1 }], mark],
] as const)('%s: nobody is signalled', async ([, wanted, word]) => {
  const leader = await lead(': >"$1"; exec sleep 60');
  expect(await endGroups(wanted(leader), { ...options, mark: word })).toBe(false);
  await delay(50);
  expect(isAlive(leader)).toBe(true);
});

test('one that leads no group: its group is not signalled', async () => {
  const leader = await lead(': >"$1"; exec sleep 60', { detached: false });
  expect(await endGroups([leader], options)).toBe(false);
  expect(isAlive(leader)).toBe(true);
});

test('what went into a session of its own is not taken for ended', async () => {
  const leader = await lead('setsid sh -c \'echo $$ >"$1.new"; mv "$1.new" "$1"; exec sleep 60\' sh "$1" & wait');
  expect(await endGroups([leader], options)).toBe(false);
  expect(isAlive(leader)).toBe(true);
  process.kill(Number(readFileSync(path.join(place, 'ready'), 'utf8')));
});

test('whoever does not heed the signal in time is told', async () => {
  const leader = await lead('trap "" TERM; : >"$1"; exec sleep 60');
  expect(await endGroups([leader], { ...options, graceMs: 50 })).toBe(false);
});
