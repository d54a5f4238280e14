/** Who of those that have a VM's lock open is its QEMU: a script of `show --shell` runs small programs that have it too. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createHome, isAlive, killAll, needsQemu, waitUntil, type Home } from '../harness/harness.ts';
import { detach, ps, still } from './a-vm.ts';

/** A program of the user's, with the lock as descriptor 3. */
async function holdLock(home: Home, program: string): Promise<number> {
  const lock = path.join(home.state, 'locks/vm.web1');
  const running = home.startProgram([
    '/bin/sh',
    '-c',
    `exec 3<>'${lock}'; flock -n 3 || exit 4; echo has it; ${program}`,
  ]);
  await running.waitFor(/has it/);
  return running.pid;
}

test('what a script runs under the lock of a VM that was killed is not that VM, and nobody signals it', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', still);
  const { pid: qemu } = await detach(home, 'web1');
  const [waiter] = (await home.run(['ps', '-o', 'ppid=', '-p', String(qemu)])).stdout.trim().split('\n');
  killAll([Number(waiter), qemu].map((pid) => ({ pid, command: '' })));
  await waitUntil(() => !isAlive(qemu), 30_000);
  // its events, its socket and its record still say that it stands still
  const other = await holdLock(home, 'exec sleep 60');
  expect(await ps(home)).toEqual([]);
  expect(await home.qrun(['kill', 'web1'])).toMatchObject({ stdout: '', stderr: expect.not.stringContaining('bug') });
  expect(isAlive(other)).toBe(true);
  killAll([{ pid: other, command: '' }]);
  await waitUntil(() => !isAlive(other), 30_000);
  expect((await home.qrun(['gc', 'web1'])).status).toBe(0);
});

test('a QEMU whose event journal somebody removed still runs', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', still);
  const { pid } = await detach(home, 'web1');
  const own = path.join(home.state, 'vms/web1');
  for (const name of ['events', 'run.json']) rmSync(path.join(own, name));
  expect(await ps(home)).toMatchObject([{ vm: 'web1', pid }]);
  expect(await home.qrun(['web1', '-d'])).toMatchObject({ status: 4, stderr: expect.stringContaining(`pid ${pid}`) });
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(isAlive(pid)).toBe(false);
});
