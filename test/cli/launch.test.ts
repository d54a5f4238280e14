/** The life of a VM with a real QEMU and no guest: seconds for the whole file, so every way of ending is tried. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  bothQemus,
  createHome,
  needsEitherQemu,
  needsQemu,
  waitUntil,
  isAlive,
  readChildren,
  type Home,
} from '../harness/harness.ts';

interface PsRow {
  readonly vm: string;
  readonly pid: number;
  readonly state: string;
  readonly accel: string;
  readonly qmp: string;
  readonly nics: readonly {
    readonly id: string;
    readonly mac: string;
    readonly forwards?: readonly { readonly hostPort: number }[];
  }[];
}

const idle = 'accel: tcg\nmemory: 64\nconsole: none\n';

async function ps(home: Home): Promise<PsRow[]> {
  const { stdout } = await home.qrun(['ps', '--json']);
  return JSON.parse(stdout) as PsRow[];
}

async function only(home: Home): Promise<PsRow> {
  const [row, ...more] = await ps(home);
  if (row === undefined || more.length > 0) throw new Error('not one VM');
  return row;
}

async function detach(home: Home, name: string, ...more: string[]): Promise<PsRow> {
  const { status, stderr } = await home.qrun(['run', name, '-d', ...more]);
  expect(stderr).not.toMatch(/error|bug/);
  expect(status).toBe(0);
  const row = (await ps(home)).find(({ vm }) => vm === name);
  if (row === undefined) throw new Error(`${name} does not run`);
  return row;
}

/** Everything in the state and runtime directories that belongs to a run, not to a VM. */
function leftOf(home: Home, vm: string): string[] {
  const files = ['journal', 'run.json', 'ending', 'events.in']
    .map((name) => path.join(home.state, 'vms', vm, name))
    .filter((file) => existsSync(file));
  const sockets = existsSync(home.runtime) ? readdirSync(home.runtime) : [];
  return [...files, ...sockets];
}

const nothingLeft = (home: Home, vm: string): Promise<boolean> =>
  waitUntil(() => leftOf(home, vm).length === 0, 30_000);

describe.each(bothQemus)('with QEMU %s', (which) => {
  test('a detached VM runs, is seen, is stopped, and leaves nothing', async (context) => {
    const qemu = needsEitherQemu(context, which);
    const home = createHome({ qemu });
    home.profile('web1', `${idle}nics:\n  - kind: user\n    forwards: ["auto:22"]\n`);
    const started = await home.qrun(['web1', '-d']);
    expect(started).toMatchObject({ status: 0, stdout: '' });
    expect(started.stderr).toMatch(/web1 runs, pid \d+/);
    const row = await only(home);
    expect(row).toMatchObject({
      vm: 'web1',
      state: 'running',
      accel: 'tcg',
      qmp: path.join(home.runtime, 'web1', 'qmp'),
    });
    expect(row.nics[0]?.mac).toMatch(/^52:54:00:/);
    expect(row.nics[0]?.forwards?.[0]?.hostPort).toBeGreaterThan(1023);
    expect(isAlive(row.pid)).toBe(true);
    expect((await home.qrun(['stop', 'web1', '--timeout', '0'])).status).toBe(0);
    expect(isAlive(row.pid)).toBe(false);
    expect(leftOf(home, 'web1')).toEqual([]);
    expect(await ps(home)).toEqual([]);
    expect(await lastRun(home, 'web1')).toMatchObject({ reason: 'host-qmp-quit', status: 0 });
  });
});

describe('the VM lock', () => {
  test('ABUSE 44: a second start is refused and names the first, also when its qrun was killed', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle);
    const foreground = home.start(['web1']);
    await waitUntil(() => existsSync(path.join(home.runtime, 'web1', 'qmp')), 30_000);
    await eventually(async () => (await ps(home))[0]?.pid !== undefined, 30_000);
    foreground.kill('SIGKILL');
    await foreground.end;
    const { pid } = await only(home);
    const second = await home.qrun(['web1', '-d']);
    expect(second.status).toBe(4);
    expect(second.stderr).toMatch(new RegExp(`web1 is running, pid ${pid}, since 2`));
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(isAlive(pid)).toBe(false);
    expect(await nothingLeft(home, 'web1')).toBe(true);
  });

  test('a killed QEMU frees it at once, the waiter gives everything back, and the same MAC comes again', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle);
    const first = await detach(home, 'web1');
    process.kill(first.pid, 'SIGKILL');
    await waitUntil(() => !isAlive(first.pid), 30_000);
    const second = await detach(home, 'web1');
    expect(second.pid).not.toBe(first.pid);
    expect(second.nics[0]?.mac).toBe(first.nics[0]?.mac);
    process.kill(second.pid, 'SIGKILL');
    expect(await nothingLeft(home, 'web1')).toBe(true);
    expect(await lastRun(home, 'web1')).toMatchObject({ reason: 'crashed', status: 1 });
  });

  test('ten starts at once: one runs, nine are told so', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle);
    const results = await Promise.all(Array.from({ length: 10 }, () => home.qrun(['web1', '-d'])));
    expect(results.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([0, 4, 4, 4, 4, 4, 4, 4, 4, 4]);
    expect(await ps(home)).toHaveLength(1);
    await home.qrun(['kill', 'web1']);
  });

  test('ABUSE 71: QEMU inherits the descriptors of the plan and no other, whatever the caller left open', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle);
    const { fds } = (
      JSON.parse((await home.qrun(['show', 'web1', '--json'])).stdout) as {
        qemu: { fds: { fd: number; path: string }[] };
      }
    ).qemu;
    const stray = home.write('stray', '');
    const bin = (await home.run(['sh', '-c', 'command -v node'])).stdout.trim();
    const started = await home.run([
      'sh',
      '-c',
      `exec 7<>${stray}; exec "$@"`,
      'sh',
      bin,
      ...qrunWords(home),
      'web1',
      '-d',
    ]);
    expect(started.status).toBe(0);
    const { pid } = await only(home);
    const links = (await home.run(['sh', '-c', `ls -l /proc/${pid}/fd`])).stdout;
    expect(links).not.toContain(stray);
    for (const { path: file } of fds) expect(links).toContain(`-> ${file}`);
    await home.qrun(['kill', 'web1']);
  });
});

describe('the waiter', () => {
  test('a killed waiter leaves QEMU alone; stop and gc do what it would have done', async (context) => {
    needsQemu(context);
    for (const end of ['stop', 'gc'] as const) {
      const home = createHome();
      home.profile('web1', idle);
      const { pid } = await detach(home, 'web1');
      const waiter = await parentOf(home, pid);
      process.kill(waiter, 'SIGKILL');
      expect((await ps(home))[0]).toMatchObject({ vm: 'web1', pid, state: 'running' });
      expect((await home.qrun(['web1', '-d'])).status).toBe(4);
      if (end === 'stop') expect((await home.qrun(['stop', 'web1', '--timeout', '0'])).status).toBe(0);
      else {
        process.kill(pid, 'SIGKILL');
        await waitUntil(() => !isAlive(pid), 30_000);
        expect(leftOf(home, 'web1')).not.toEqual([]);
        const planned = await home.qrun(['gc', '--dry-run', '--json']);
        expect((JSON.parse(planned.stdout) as unknown[]).length).toBeGreaterThan(0);
        expect(leftOf(home, 'web1')).not.toEqual([]);
        expect((await home.qrun(['gc'])).status).toBe(0);
      }
      expect(leftOf(home, 'web1')).toEqual([]);
      expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    }
  });

  test('no process of node stays with a detached VM', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle);
    const { pid } = await detach(home, 'web1');
    const waiter = await parentOf(home, pid);
    expect(readChildren(waiter)).toEqual([pid]);
    expect(readFileSync(`/proc/${waiter}/cmdline`, 'utf8').split('\0')[0]).toBe('/bin/sh');
    await home.qrun(['kill', 'web1']);
  });
});

describe('a start that fails', () => {
  test('says what QEMU said, with 1, and leaves nothing', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', `${idle}machine: nosuchmachine\n`);
    const { status, stderr } = await home.qrun(['web1', '-d']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/no machine type/);
    expect(leftOf(home, 'web1')).toEqual([]);
  });

  test('ABUSE 35: a port that is taken is found before QEMU starts; the first VM is untouched', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('one', `${idle}nics: [{ kind: user, forwards: ["auto:22"] }]\n`);
    const one = await detach(home, 'one');
    const port = one.nics[0]?.forwards?.[0]?.hostPort;
    home.profile('two', `${idle}nics: [{ kind: user, forwards: ["${port}:22"] }]\n`);
    const two = await home.qrun(['two', '-d']);
    expect(two.status).toBe(4);
    expect(two.stderr).toMatch(new RegExp(`port ${port} on 127.0.0.1 is in use by .*${one.pid}`));
    expect(isAlive(one.pid)).toBe(true);
    expect(leftOf(home, 'two')).toEqual(['one']);
    await home.qrun(['kill', 'one']);
  });

  test('two VMs race for one port: one wins, the other gets 4', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('probe', `${idle}nics: [{ kind: user, forwards: ["auto:22"] }]\n`);
    const free = (await detach(home, 'probe')).nics[0]?.forwards?.[0]?.hostPort;
    await home.qrun(['kill', 'probe']);
    for (const name of ['a', 'b', 'c']) home.profile(name, `${idle}nics: [{ kind: user, forwards: ["${free}:22"] }]\n`);
    const results = await Promise.all(['a', 'b', 'c'].map((name) => home.qrun([name, '-d'])));
    expect(results.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([0, 4, 4]);
    await home.qrun(['kill', 'a', 'b', 'c']);
    expect(await ps(home)).toEqual([]);
  });
});

describe('a hook after the end', () => {
  test('that fails is told with 5, is not run again, and keeps nobody from starting', async (context) => {
    needsQemu(context);
    const home = createHome();
    const hook = home.write('hook.sh', '#!/bin/sh\necho ran >>ran; echo no way >&2; exit 9\n', 0o700);
    home.profile('web1', `${idle}hooks: { afterStop: [${hook}] }\n`);
    await detach(home, 'web1');
    const stopped = await home.qrun(['kill', 'web1']);
    expect(stopped.status).toBe(5);
    expect(stopped.stderr).toMatch(/hook:afterStop.*status 9/);
    expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    expect(leftOf(home, 'web1')).toEqual([]);
    await detach(home, 'web1');
    expect((await home.qrun(['kill', 'web1'])).status).toBe(5);
    expect((await home.qrun(['rm', 'web1'])).status).toBe(0);
  });

  test('that is not there is told before the start', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', `${idle}hooks: { afterStop: [/no/such/program] }\n`);
    const { status, stderr } = await home.qrun(['web1', '-d']);
    expect(status).toBe(3);
    expect(stderr).toMatch(/hook afterStop.*\/no\/such\/program/);
    expect(leftOf(home, 'web1')).toEqual([]);
  });
});

describe('what cannot be given back', () => {
  test('is told with 5, keeps nobody from starting again, and is finished by gc when it is mended', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle);
    const { pid } = await detach(home, 'web1');
    await home.run(['chmod', '500', home.runtime]);
    process.kill(pid, 'SIGKILL');
    await waitUntil(() => !isAlive(pid), 30_000);
    const collected = await home.qrun(['gc', '--json']);
    expect(collected.status).toBe(5);
    expect(JSON.parse(collected.stdout)).toContainEqual(
      expect.objectContaining({ vm: 'web1', what: 'runtime', state: 'left' }),
    );
    await home.run(['chmod', '700', home.runtime]);
    const again = await home.qrun(['web1', '-d']);
    expect(again.status).toBe(0);
    await home.qrun(['kill', 'web1']);
    expect((await home.qrun(['gc'])).status).toBe(0);
    expect(leftOf(home, 'web1')).toEqual([]);
  });
});

describe('help', () => {
  test('help is the help', async () => {
    const home = createHome();
    expect(await home.qrun(['help'])).toMatchObject({ status: 0, stdout: expect.stringContaining('qrun') });
  });
});

describe('state of a newer qrun', () => {
  test('is refused with 3 and never removed, and hides no other VM', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle);
    home.profile('web2', idle);
    await detach(home, 'web1');
    await detach(home, 'web2');
    await home.qrun(['kill', 'web1']);
    const newer = home.write('s/vms/web1/run.json', '{"v":99}\n');
    const last = home.write('s/vms/web2/last.json', '{"v":99}\n');
    expect((await home.qrun(['web1', '-d'])).status).toBe(3);
    expect((await home.qrun(['gc'])).status).toBe(5);
    expect(existsSync(newer)).toBe(true);
    expect((await ps(home)).map(({ vm }) => vm)).toEqual(['web2']);
    expect((await home.qrun(['kill', 'web2'])).status).toBe(0);
    expect(readFileSync(last, 'utf8')).toBe('{"v":99}\n');
    expect(await nothingLeft(home, 'web2')).toBe(true);
    expect(await home.qrun(['web2', '-d'])).toMatchObject({
      status: 3,
      stderr: expect.stringContaining(last) as string,
    });
    expect(readFileSync(last, 'utf8')).toBe('{"v":99}\n');
  });
});

describe('rm --disks', () => {
  const disk = (home: Home, size: string): string => `${idle}disks: [{ file: ${home.dir}/shared.raw${size} }]\n`;

  test('removes what was made for the VM, never what the user brought, and nothing that is in use', async (context) => {
    needsQemu(context);
    const home = createHome();
    const file = path.join(home.dir, 'shared.raw');
    home.profile('maker', disk(home, ', size: 1M'));
    home.profile('other', disk(home, ''));
    await detach(home, 'maker');
    await home.qrun(['kill', 'maker']);
    await detach(home, 'other');
    expect((await home.qrun(['rm', 'maker', '--disks'])).status).toBe(4);
    expect(existsSync(file)).toBe(true);
    await home.qrun(['kill', 'other']);
    expect((await home.qrun(['rm', 'other', '--disks'])).status).toBe(0);
    expect(existsSync(file)).toBe(true);
    expect((await home.qrun(['rm', 'maker', '--disks'])).status).toBe(0);
    expect(existsSync(file)).toBe(false);
  });
});

describe('when nobody reads the output', () => {
  test('a foreground run goes on to its end, logs and console end quietly', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle.replace('console: none\n', ''));
    const bin = [process.execPath, ...qrunWords(home)].map((word) => `'${word}'`).join(' ');
    const foreground = home.run(['sh', '-c', `${bin} web1 2>err | head -c 1; cat err`], { timeoutMs: 60_000 });
    await eventually(async () => (await ps(home))[0]?.state === 'running', 30_000);
    await eventually(async () => (await home.qrun(['logs', 'web1', '--console'])).stdout.length > 200, 30_000);
    const logs = await home.run(['sh', '-c', `{ ${bin} logs web1; echo "status $?" >&2; } | head -c 1`]);
    expect(logs.stderr).not.toMatch(/Error|at .*js/);
    expect((await ps(home))[0]?.state).toBe('running');
    await home.qrun(['kill', 'web1']);
    expect((await foreground).stdout).toMatch(/runs on/);
    const full = await home.run(['sh', '-c', `${bin} logs web1 --console >/dev/full`]);
    expect(full.status).toBe(3);
  });
});

test('stop and start again at once, many times: the release that is still under way is waited for', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', idle);
  for (let round = 0; round < 8; round += 1) {
    expect((await home.qrun(['web1', '-d'])).status).toBe(0);
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  }
});

describe('what a run is told from outside', () => {
  test('pause, resume, reset, monitor, wait, logs', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle);
    const { pid } = await detach(home, 'web1');
    expect((await home.qrun(['pause', 'web1'])).status).toBe(0);
    expect((await only(home)).state).toBe('paused');
    expect((await home.qrun(['resume', 'web1'])).status).toBe(0);
    expect((await only(home)).state).toBe('running');
    expect((await home.qrun(['reset', 'web1'])).status).toBe(0);
    expect((await home.qrun(['monitor', 'web1', 'info', 'status'])).stdout).toMatch(/VM status: running/);
    const late = await home.qrun(['wait', 'web1', '--for', 'text:never', '--timeout', '0.2']);
    expect(late.status).toBe(3);
    const waiting = home.start(['wait', 'web1', '--for', 'end', '--timeout', '20']);
    await home.qrun(['kill', 'web1']);
    expect(await waiting.end).toMatchObject({ status: 0, stderr: '' });
    expect(isAlive(pid)).toBe(false);
    expect((await home.qrun(['logs', 'web1'])).stderr).toMatch(/killed by qrun/);
  });

  test('a VM that starts with -S stands still, and is told so', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle);
    expect((await detach(home, 'web1', '--', '-S')).state).toBe('paused');
    await home.qrun(['resume', 'web1']);
    expect((await only(home)).state).toBe('running');
    await home.qrun(['kill', 'web1']);
  });

  test('stop and kill of what does not run is success; of an unknown name it is not', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', idle);
    expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect((await home.qrun(['stop', 'nobody'])).status).toBe(2);
    expect((await home.qrun(['stop', 'web1', 'nobody'])).status).toBe(2);
  });
});

describe('ABUSE 62, 63: signals of a foreground run without a console', () => {
  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s powers the guest down, then qrun ends with %i', async (signal, status) => {
    const home = createHome();
    home.profile('web1', `${idle}shutdown: { timeout: 0 }\n`);
    const foreground = home.start(['web1']);
    await eventually(async () => (await ps(home))[0]?.pid !== undefined, 30_000);
    const { pid } = await only(home);
    foreground.kill(signal);
    expect((await foreground.end).status).toBe(status);
    expect(isAlive(pid)).toBe(false);
    expect(leftOf(home, 'web1')).toEqual([]);
  });

  test('Ctrl-C once is a power-down that a dead guest does not hear, twice ends QEMU', async () => {
    const home = createHome();
    home.profile('web1', idle);
    const foreground = home.start(['web1']);
    await foreground.waitFor(/web1 runs, pid/);
    foreground.kill('SIGINT');
    await foreground.waitFor(/powering down/);
    await eventually(async () => (await ps(home))[0]?.state === 'powering-down', 30_000);
    expect((await only(home)).state).toBe('powering-down');
    foreground.kill('SIGINT');
    expect((await foreground.end).status).toBe(0);
    expect(leftOf(home, 'web1')).toEqual([]);
  });
});

test('ABUSE 49: what an earlier boot left is tidied without a word of error', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', idle);
  const before = await detach(home, 'web1');
  process.kill(await parentOf(home, before.pid), 'SIGKILL');
  process.kill(before.pid, 'SIGKILL');
  await waitUntil(() => !isAlive(before.pid), 30_000);
  expect(leftOf(home, 'web1')).not.toEqual([]);
  const env = { QRUN_TEST_BOOT_ID: '00000000-0000-4000-8000-000000000000' };
  const { status, stderr } = await home.qrun(['web1', '-d'], { env });
  expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.not.stringMatching(/left|error/) });
  await home.qrun(['kill', 'web1'], { env });
  expect(leftOf(home, 'web1')).toEqual([]);
});

test('ABUSE 66: the sockets of a run are in a directory that only its user enters', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('web1', idle);
  const { qmp } = await detach(home, 'web1');
  const mode = (await home.run(['stat', '-c', '%a', path.dirname(qmp)])).stdout.trim();
  expect(mode).toBe('700');
  await home.qrun(['kill', 'web1']);
});

const qrunWords = (home: Home): string[] => [home.start(['--version']).argv.at(-2) ?? ''];

async function parentOf(home: Home, pid: number): Promise<number> {
  const { stdout } = await home.run(['sh', '-c', `cut -d ' ' -f 4 /proc/${pid}/stat`]);
  return Number(stdout.trim());
}

async function eventually(condition: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function lastRun(home: Home, name: string): Promise<unknown> {
  const rows = JSON.parse((await home.qrun(['ls', '--json'])).stdout) as { name: string; lastRun: unknown }[];
  return rows.find((row) => row.name === name)?.lastRun;
}
