/** `qrun show --shell`, run by sh as an ordinary user: the same QEMU under the same lock, and everything given back. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createHome, isAlive, needsQemu, waitUntil, type Home, type Running } from '../harness/harness.ts';
import { argvOf, detach, eventually, leftOf, nothingLeft, ps, rowOf, still, type PsRow } from './a-vm.ts';

const everything = (home: Home): string => `${still}ephemeral: true
firmware: uefi
disks:
  - file: ${home.dir}/it's a disk.qcow2
    size: 1M
nics:
  - kind: user
    hostname: web1,hostfwd=tcp:0.0.0.0:2222-:22
    forwards: ["auto:22", "auto:53/udp"]
  - kind: user
    model: e1000
hooks:
  beforeStart: [/bin/sh, -c, 'echo before $QRUN_VM >>${home.dir}/hooks']
  afterStop: [/bin/sh, -c, 'echo after $QRUN_VM >>${home.dir}/hooks']
`;

async function writeScript(home: Home, name = 'web1'): Promise<string> {
  const { status, stdout, stderr } = await home.qrun(['show', name, '--shell']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return home.write(`${name}.sh`, stdout);
}

/** Runs it, and waits until its VM is up. */
async function startScript(home: Home, file: string): Promise<{ readonly script: Running; readonly row: PsRow }> {
  const script = home.startProgram(['/bin/sh', file]);
  await eventually(async () => (await ps(home))[0]?.state === 'paused' || script.child.exitCode !== null);
  return { script, row: await rowOf(home, 'web1') };
}

/** `auto` ports differ from run to run. */
const withoutPorts = (argv: readonly string[]): string[] =>
  argv.map((word) => word.replaceAll(/(tcp|udp):127\.0\.0\.1:\d+-/g, '$1:127.0.0.1:PORT-'));

async function quit({ pid }: PsRow): Promise<void> {
  process.kill(pid, 'SIGTERM');
  await waitUntil(() => !isAlive(pid), 30_000);
}

describe('the script and a run', () => {
  test("have the same arguments, which are those of show --json, and the script's ports are open", async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', everything(home));
    const shown = JSON.parse((await home.qrun(['show', 'web1', '--json'])).stdout) as {
      qemu: { file: string; argv: string[] };
    };
    const ran = await detach(home, 'web1');
    const argvOfRun = withoutPorts(argvOf(ran.pid));
    expect(argvOfRun).toEqual([shown.qemu.file, ...withoutPorts(shown.qemu.argv)]);
    await home.qrun(['kill', 'web1']);
    const { script, row } = await startScript(home, await writeScript(home));
    expect(withoutPorts(argvOf(row.pid))).toEqual(argvOfRun);
    const ports = [...script.stderr.matchAll(/^port (\d+) of 127\.0\.0\.1 is port (22\/tcp|53\/udp) of the guest$/gm)];
    expect(ports.map(([, , guest]) => guest)).toEqual(['22/tcp', '53/udp']);
    const tcp = Number(ports[0]?.[1]).toString(16).toUpperCase().padStart(4, '0');
    expect(readFileSync(`/proc/${row.pid}/net/tcp`, 'utf8')).toContain(`0100007F:${tcp} 00000000:0000 0A`);
    await quit(row);
    expect((await script.end).status).toBe(0);
  });

  test('make what is to be made, run the hooks, and leave what is to stay', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', everything(home));
    const { script, row } = await startScript(home, await writeScript(home));
    const own = path.join(home.state, 'vms/web1');
    const disk = path.join(home.dir, "it's a disk.qcow2");
    const variables = path.join(own, 'uefi-vars.fd');
    expect(readdirSync(own)).toEqual(expect.arrayContaining(['ephemeral-0.qcow2', 'uefi-vars.fd', 'events.in']));
    expect((await home.run(['qemu-img', 'info', '-U', '--output=json', disk])).stdout).toContain(
      '"virtual-size": 1048576',
    );
    expect(statSync(path.join(home.runtime, 'web1')).mode & 0o777).toBe(0o700);
    expect(statSync(path.join(own, 'console.log')).mode & 0o777).toBe(0o600);
    const { ino } = statSync(variables);
    await quit(row);
    expect(await script.end).toMatchObject({ status: 0 });
    expect(leftOf(home, 'web1')).toEqual([]);
    expect(existsSync(path.join(own, 'ephemeral-0.qcow2'))).toBe(false);
    expect(existsSync(disk)).toBe(true);
    expect(statSync(variables).ino).toBe(ino);
    expect(readFileSync(path.join(home.dir, 'hooks'), 'utf8')).toBe('before web1\nafter web1\n');
    const { pid } = await detach(home, 'web1');
    expect(statSync(variables).ino).toBe(ino);
    await home.qrun(['kill', 'web1']);
    expect(isAlive(pid)).toBe(false);
  });
});

describe('one lock', () => {
  test('while the script runs, a run is refused with 4, and while a run runs, the script', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', still);
    const file = await writeScript(home);
    const { script, row } = await startScript(home, file);
    const refused = await home.qrun(['web1', '-d']);
    expect(refused).toMatchObject({ status: 4, stderr: expect.stringContaining(`web1 is running, pid ${row.pid}`) });
    expect(await home.run(['/bin/sh', file])).toMatchObject({ status: 4, stderr: 'web1 runs already\n' });
    expect(await ps(home)).toMatchObject([{ vm: 'web1', pid: row.pid, state: 'paused' }]);
    await quit(row);
    expect((await script.end).status).toBe(0);
    const ran = await detach(home, 'web1');
    const left = leftOf(home, 'web1');
    expect(await home.run(['/bin/sh', file])).toMatchObject({ status: 4, stderr: 'web1 runs already\n' });
    expect(leftOf(home, 'web1')).toEqual(left);
    expect((await rowOf(home, 'web1')).pid).toBe(ran.pid);
    await home.qrun(['kill', 'web1']);
  });

  test('ps, ls, logs and gc see the VM of a script and leave it alone; its monitor has no record to be found by', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', still);
    const { script, row } = await startScript(home, await writeScript(home));
    const left = leftOf(home, 'web1');
    expect((await home.qrun(['ps'])).stdout).toMatch(new RegExp(`web1 +${row.pid} +paused`));
    expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    expect((await home.qrun(['logs', 'web1'])).status).toBe(0);
    expect((await home.qrun(['rm', 'web1'])).status).toBe(4);
    const monitor = await home.qrun(['monitor', 'web1', 'info', 'status']);
    expect(monitor).toMatchObject({ status: 3, stderr: expect.stringContaining('has no record') });
    expect(leftOf(home, 'web1')).toEqual(left);
    expect(isAlive(row.pid)).toBe(true);
    await quit(row);
    expect((await script.end).status).toBe(0);
  });

  test.each([
    ['stop', ['--timeout', '0'], 0],
    ['kill', [], 1],
  ] as const)('%s ends the VM of a script, which then cleans up', async (command, flags, status) => {
    const home = createHome();
    home.profile('web1', everything(home));
    const { script, row } = await startScript(home, await writeScript(home));
    expect(await home.qrun([command, 'web1', ...flags])).toMatchObject({ status: 0 });
    expect(isAlive(row.pid)).toBe(false);
    expect((await script.end).status).toBe(status);
    expect(leftOf(home, 'web1')).toEqual([]);
    expect(readFileSync(path.join(home.dir, 'hooks'), 'utf8')).toBe('before web1\nafter web1\n');
  });
});

describe('the trap', () => {
  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('%s ends QEMU, cleans up, and is %i', async (signal, status) => {
    const home = createHome();
    home.profile('web1', everything(home));
    const { script, row } = await startScript(home, await writeScript(home));
    script.kill(signal);
    expect((await script.end).status).toBe(status);
    expect(isAlive(row.pid)).toBe(false);
    expect(leftOf(home, 'web1')).toEqual([]);
  });

  test("a QEMU that fails is 1 with QEMU's words, and the disk that was made for it goes again", async (context) => {
    needsQemu(context);
    const home = createHome();
    const disk = path.join(home.dir, 'disk.qcow2');
    home.profile('web1', `${still}cpu: nosuchcpu\ndisks: [{ file: ${disk}, size: 1M }]\n`);
    const { status, stderr } = await home.run(['/bin/sh', await writeScript(home)]);
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('nosuchcpu') });
    expect(existsSync(disk)).toBe(false);
    expect(leftOf(home, 'web1')).toEqual([]);
  });

  test('a hook that fails is 3, QEMU is not started, and what was taken goes', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile(
      'web1',
      `${still}hooks: { beforeStart: [/bin/false], afterStop: [/usr/bin/touch, ${home.dir}/after] }\n`,
    );
    const { status, stderr } = await home.run(['/bin/sh', await writeScript(home)]);
    expect({ status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining('hook failed') });
    expect(leftOf(home, 'web1')).toEqual([]);
    expect(existsSync(path.join(home.dir, 'after'))).toBe(true);
  });

  test(
    'a script that was killed leaves a VM that stop and gc end, and the hook after it runs',
    { timeout: 300_000 },
    async (context) => {
      needsQemu(context);
      for (const end of ['stop', 'gc', 'run', 'script'] as const) {
        const home = createHome();
        home.profile('web1', everything(home));
        const file = await writeScript(home);
        const { script, row } = await startScript(home, file);
        script.kill('SIGKILL');
        await script.end;
        expect((await rowOf(home, 'web1')).pid).toBe(row.pid);
        if (end !== 'stop') process.kill(row.pid, 'SIGKILL');
        if (end !== 'stop') await waitUntil(() => !isAlive(row.pid), 30_000);
        if (end === 'stop') expect(await home.qrun(['stop', 'web1', '--timeout', '0'])).toMatchObject({ status: 0 });
        if (end === 'gc') expect(await home.qrun(['gc', 'web1'])).toMatchObject({ status: 0 });
        if (end === 'run') await detach(home, 'web1');
        if (end === 'script') await startScript(home, file);
        if (end === 'run' || end === 'script') await home.qrun(['kill', 'web1']);
        expect({ end, left: await nothingLeft(home, 'web1') }).toEqual({ end, left: true });
        expect(readFileSync(path.join(home.dir, 'hooks'), 'utf8')).toMatch(/^before web1\n(.*\n)*after web1\n$/);
      }
    },
  );

  test('a script does not build on what a dead run left: it names the command', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', still);
    const file = await writeScript(home);
    await home.qrun(['web1', '-d'], { env: { QRUN_FAILPOINT: 'spawn:kill' } });
    const left = leftOf(home, 'web1');
    expect(left).not.toEqual([]);
    expect(await home.run(['/bin/sh', file])).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('qrun gc web1'),
    });
    expect(leftOf(home, 'web1')).toEqual(left);
    expect((await home.qrun(['gc', 'web1'])).status).toBe(0);
    const { script, row } = await startScript(home, file);
    await quit(row);
    expect((await script.end).status).toBe(0);
  });
});
