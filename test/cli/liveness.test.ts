/** Who of those that have a VM's lock open is its QEMU: a script of `show --shell` runs small programs that have it too. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test, type TestContext } from 'vitest';
import { isAlive as isAliveToQrun, readIdentity } from '../../src/system/processes.ts';
import { createHome, isAlive, killAll, needsQemu, repository, waitUntil, type Home } from '../harness/harness.ts';
import { detach, ps, still } from './a-vm.ts';

const { buildProgram } = (await import(path.join(repository, 'test/guest/elf.mjs'))) as {
  buildProgram: (text: Buffer) => Buffer;
};

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

/** The runtime directory goes away when its user logs out; what the VM's shutdown takes is as long as any test. */
async function withoutSession(context: TestContext): Promise<{ home: Home; pid: number }> {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', still.replace('timeout: 0', 'timeout: 3600'));
  const { pid } = await detach(home, 'web1');
  for (const name of readdirSync(home.runtime)) rmSync(path.join(home.runtime, name), { recursive: true });
  expect(await ps(home)).toMatchObject([{ vm: 'web1', state: 'lost' }]);
  return { home, pid };
}

test('a VM whose sockets went away is stopped without asking its guest, which nobody can, and that is said', async (context) => {
  const { home, pid } = await withoutSession(context);
  expect(await home.qrun(['doctor', 'web1', '--json'])).toMatchObject({
    stdout: expect.stringContaining('its sockets are gone') as string,
  });
  expect(await home.qrun(['stop', 'web1'], { timeoutMs: 60_000 })).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(/web1: its guest cannot be asked to power down.*web1 stopped/s) as string,
  });
  expect(isAlive(pid)).toBe(false);
});

test('the console of such a VM is refused: what is typed would reach nobody', async (context) => {
  const { home } = await withoutSession(context);
  const socket = path.join(home.runtime, 'web1/console');
  expect(await home.qrun(['console', 'web1'], { input: 'root\n' })).toMatchObject({
    status: 3,
    stderr: expect.stringMatching(
      new RegExp(`web1: its console's socket is gone.*${socket}.*qrun logs -f web1`, 's'),
    ) as string,
  });
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
});

const code = [
  'bf000f0500', // mov $0x50f00,%edi: CLONE_VM, _FS, _FILES, _SIGHAND, _THREAD, _SYSVSEM
  '31f6', // xor %esi,%esi
  '31d2', // xor %edx,%edx
  'b838000000', // mov $0x38,%eax: clone
  '0f05', // syscall
  '85c0', // test %eax,%eax
  '7409', // je the second thread
  '31ff', // xor %edi,%edi
  'b83c000000', // mov $0x3c,%eax: exit, of this thread alone
  '0f05', // syscall
  'b822000000', // the second thread: mov $0x22,%eax: pause
  '0f05', // syscall
  'ebf7', // jmp the second thread
];

test('a process whose main thread has ended before the others still has its files, and is not dead', async () => {
  const home = createHome();
  const file = path.join(home.dir, 'threads');
  writeFileSync(file, buildProgram(Buffer.from(code.join(''), 'hex')), { mode: 0o755 });
  const { pid, end } = home.startProgram([file, home.dir]);
  const stat = (): string => readFileSync(`/proc/${pid}/stat`, 'utf8');
  expect(await waitUntil(() => stat().includes(') Z '), 30_000)).toBe(true);
  expect(readdirSync(`/proc/${pid}/task`)).toHaveLength(2);
  const identity = readIdentity(pid);
  if (identity === undefined) throw new Error('it has ended');
  expect([isAliveToQrun(identity), isAlive(pid)]).toEqual([true, true]);
  killAll([{ pid, command: '' }]);
  await end;
  expect([isAliveToQrun(identity), existsSync(`/proc/${pid}`)]).toEqual([false, false]);
});
