import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { ServiceStep } from '../../../src/plan/step.ts';
import { findMissing, readService, service } from '../../../src/resources/service.ts';
import { createSystem } from '../../../src/system/real.ts';

const system = createSystem();

test('a program that runs and has not opened its interface is of no use: that is told, and it can be ended', async () => {
  const place = mkdtempSync(path.join(tmpdir(), 'qrun-service-'));
  const step: ServiceStep = {
    ...{ kind: 'service', id: 'switch', needsRoot: true, title: 'qrun-net lan0', network: 'lan0' },
    mark: `unit-${process.pid}`,
    programs: [
      {
        name: 'vde_switch',
        argv: ['/bin/sh', '-c', 'echo ERROR OPENING tap; exec sleep 600'],
        opens: 'qr-no-such-tap',
        restart: false,
      },
    ],
    log: path.join(place, 'log'),
    awaits: [],
    readyMs: 500,
  };
  try {
    const context = { system, runId: 'r1', descriptors: new Map<number, number>(), warn: () => {}, record: () => {} };
    await expect(service.acquire(step, context)).rejects.toMatchObject({
      code: 'host-failed',
      message: 'qrun-net lan0 did not come up: vde_switch does not get qr-no-such-tap',
      causes: ['ERROR OPENING tap'],
    });
    expect(findMissing(step, readService(step))).toEqual(['vde_switch']);
    expect(readService(step).running['vde_switch']).toHaveLength(1);
  } finally {
    for (const _twice of [1, 2])
      await service.release(step, undefined, { system, runId: 'r1', started: true, sameBoot: true });
    rmSync(place, { recursive: true });
  }
  expect(readService(step).running).toEqual({ vde_switch: [] });
});
