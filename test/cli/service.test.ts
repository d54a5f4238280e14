import { closeSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StepRecord } from '../../src/journal/journal.ts';
import type { ServiceStep } from '../../src/plan/step.ts';
import { mendService, readService, service } from '../../src/resources/service.ts';
import { waitSharedLockFile } from '../../src/system/flock.ts';
import { findMarked } from '../../src/system/marked.ts';
import { createSystem } from '../../src/system/real.ts';
import { waitUntil } from '../harness/harness.ts';

let place: string;
let step: ServiceStep;
const system = createSystem();
const context = () => ({
  system,
  runId: 'r1',
  descriptors: new Map<number, number>(),
  warn: () => {},
  record: () => {},
});
const mending = { env: system.env, record: () => {} };
const ended = { system, runId: 'r1', started: true, sameBoot: true };

beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-svc-'));
  const program = path.join(place, 'program');
  // says its pid, then lives on
  writeFileSync(program, 'echo $$ >>"$1"; touch "$2"; exec sleep 1000\n');
  step = {
    kind: 'service',
    id: 'service',
    needsRoot: false,
    title: 'qrun-net lab',
    network: 'lab',
    mark: `test-${process.pid}-${Math.random().toString(36).slice(2)}`,
    programs: [
      { name: 'switch', argv: ['/bin/sh', program, path.join(place, 'pids'), path.join(place, 'up')], restart: true },
    ],
    log: path.join(place, 'log'),
    awaits: [path.join(place, 'up')],
  };
});

afterEach(async () => {
  await service.release(step, undefined, ended);
  rmSync(place, { recursive: true });
});

const pids = (): number[] => readFileSync(path.join(place, 'pids'), 'utf8').trim().split('\n').map(Number);
const all = () => findMarked('QRUN_SERVICE', step.mark);

async function until(holds: () => boolean): Promise<void> {
  expect(await waitUntil(holds, 30_000)).toBe(true);
}

describe('a service', () => {
  test('is started, found by its mark alone, and ended with everything, twice', async () => {
    await service.acquire(step, context());
    expect(all().length).toBeGreaterThanOrEqual(2);
    await service.release(step, undefined, ended);
    expect(all()).toEqual([]);
    await service.release(step, undefined, ended);
    expect(pids()).toHaveLength(1);
  });

  test.for(['as it was', 'with a program that lets nobody end it', 'with a keeper that was killed'] as const)(
    'is ended by what its record says, %s',
    async (how) => {
      if (how === 'with a program that lets nobody end it')
        writeFileSync(
          path.join(place, 'program'),
          `trap '' TERM; echo $$ >>"$1"; touch "$2"; sleep 1000; sleep 1000\n`,
        );
      const record = await service.acquire(step, context());
      expect(record).toMatchObject({ keepers: expect.stringMatching(/^\d+:\d+$/) });
      await until(() => (readService(step).running['switch'] ?? []).length > 0);
      if (how === 'with a keeper that was killed')
        for (const pid of readService(step).keepers['switch'] ?? []) process.kill(pid, 'SIGKILL');
      await service.release(step, record, ended);
      expect(all()).toEqual([]);
      await service.release(step, record, ended);
    },
  );

  test('a record that speaks of another process ends nothing of it', async () => {
    const other = { ...step, mark: `${step.mark}-other` };
    const record = await service.acquire(other, context());
    try {
      await service.release(step, record, ended);
      expect(findMarked('QRUN_SERVICE', other.mark).length).toBeGreaterThanOrEqual(2);
    } finally {
      await service.release(other, record, ended);
    }
    expect(findMarked('QRUN_SERVICE', other.mark)).toEqual([]);
  });

  test('a killed program is started again', async () => {
    await service.acquire(step, context());
    await until(() => (readService(step).running['switch'] ?? []).length === 1);
    process.kill(pids()[0] ?? 0, 'SIGKILL');
    await until(() => pids().length === 2);
    expect(readFileSync(step.log, 'utf8')).toContain('ended with status 137, and is started again');
  });

  test('a killed keeper leaves its program at work; it is mended with a program of its own, and all are ended at the end', async () => {
    await service.acquire(step, context());
    await until(() => (readService(step).running['switch'] ?? []).length === 1);
    for (const pid of readService(step).keepers['switch'] ?? []) process.kill(pid, 'SIGKILL');
    await until(() => readService(step).keepers['switch']?.length === 0);
    expect(readService(step).running['switch']).toHaveLength(1);
    expect(await mendService(step, mending)).toEqual({ started: [], anew: ['switch'] });
    await until(() => readService(step).keepers['switch']?.length === 1);
    await until(() => readService(step).running['switch']?.length === 1);
    for (const pid of readService(step).keepers['switch'] ?? []) process.kill(pid, 'SIGKILL');
    await until(() => readService(step).keepers['switch']?.length === 0);
    await service.release(step, undefined, ended);
    expect(all()).toEqual([]);
  });

  test('what is gone as a whole is mended, once', async () => {
    await service.acquire(step, context());
    for (const one of all()) process.kill(one.pid, 'SIGKILL');
    await until(() => all().length === 0);
    const records: StepRecord[] = [];
    const record = (value: StepRecord): void => void records.push(value);
    expect(await mendService(step, { ...mending, record })).toEqual({ started: ['switch'], anew: [] });
    expect(await mendService(step, { ...mending, record })).toEqual({ started: [], anew: [] });
    // other keepers than those of the first time
    expect(records).toEqual([{ keepers: '' }]);
    await until(() => pids().length === 2);
  });

  test('its release runs when the last share of the lock is gone, and not before', async () => {
    const users = path.join(place, 'users');
    const told = path.join(place, 'told');
    const [one, two] = [await waitSharedLockFile(users, 1000), await waitSharedLockFile(users, 1000)];
    const watched = { ...step, watch: { users, release: ['/bin/sh', '-c', `touch ${told}`] } };
    await service.acquire(watched, context());
    expect(readService(watched).watched).toBe(true);
    closeSync(one ?? -1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(existsSync(told)).toBe(false);
    closeSync(two ?? -1);
    await until(() => existsSync(told));
  });

  test('what does not come up says so with the last words of its log', async () => {
    const broken = { ...step, awaits: [path.join(place, 'never')], readyMs: 300 };
    await expect(service.acquire(broken, context())).rejects.toMatchObject({
      code: 'host-failed',
      message: expect.stringContaining('did not come up'),
    });
  });

  test('is described by the very commands that it runs', async () => {
    const { acquire, release } = service.describe(step);
    expect(acquire[0]).toMatchObject({ op: 'spawn', log: step.log, env: { QRUN_SERVICE: step.mark } });
    expect(release).toEqual([{ op: 'kill', what: `QRUN_SERVICE=${step.mark}` }]);
  });
});
