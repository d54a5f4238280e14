import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished, expect, test } from 'vitest';
import { readTakenForPorts } from '../../../src/host/taken-macs.ts';
import { createSystem } from '../../../src/system/real.ts';
import { places } from '../network/a-plan.ts';

test('MACs of ports are taken while their network is down, wherever setup made no registry', async () => {
  const host = mkdtempSync(path.join(tmpdir(), 'qrun-taken-'));
  onTestFinished(() => rmSync(host, { recursive: true }));
  mkdirSync(path.join(host, 'ports/lan0'), { recursive: true });
  writeFileSync(path.join(host, 'ports/lan0/macs.json'), '{"v":1,"macs":["52:54:00:aa:bb:01","52:54:00:aa:bb:02"]}');
  mkdirSync(path.join(host, 'ports/broken'));
  writeFileSync(path.join(host, 'ports/broken/macs.json'), '{"v":1,"macs":["52:54:00:a');
  const system = { ...createSystem(), which: () => undefined };
  const taken = await readTakenForPorts(system, { ...places, host });
  expect(taken.has('52:54:00:aa:bb:01') && taken.has('52:54:00:aa:bb:02')).toBe(true);
  expect([...taken].filter((mac) => mac.startsWith('52:54:00:a') && mac.length < 17)).toEqual([]);
});
