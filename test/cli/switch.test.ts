/** The switch as the package has it: a program beside qrun's own, which needs nothing else of the package. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { testFacts } from '../harness/harness.ts';
import { createLab } from '../unit/switch/a-process.ts';

test('the package has a switch that runs by itself, connects guests and ends at once', async () => {
  const alone = mkdtempSync(path.join(os.tmpdir(), 'qrun-switch-alone-'));
  const program = path.join(alone, 'switch.cjs');
  copyFileSync(path.resolve(testFacts().bin, '../../dist/switch.cjs'), program);
  const lab = createLab(program);
  onTestFinished(async () => {
    await lab.dispose();
    rmSync(alone, { recursive: true });
  });
  const { child, end, said } = lab.start();
  await said(/network lab, 0 leases known/);
  await (await lab.guest('web1.net0.port')).connected();
  child.kill('SIGTERM');
  expect(await end).toBe(0);
});
