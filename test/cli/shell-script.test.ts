import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Step } from '../../src/plan/step.ts';
import { renderShell } from '../../src/report/shell.ts';
import { shellWord, shellWords } from '../../src/shell-word.ts';
import { aNic, aPlan, describeStep, type PlanInput } from '../unit/report/a-plan.ts';
import { anyText } from '../unit/any-text.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'qrun-shell-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** A program in QEMU's place. It tells on its console what it got, behaves, and ends. */
function fakeQemu(body: string): string {
  const file = path.join(dir, 'fake qemu');
  writeFileSync(file, `#!/bin/sh\nprintf '%s\\n' '{"QMP": {}}' '{"return": {}}'\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

function scriptOf(input: Omit<PlanInput, 'dir'>): string {
  const file = path.join(dir, 'run.sh');
  writeFileSync(file, renderShell(aPlan({ dir, ...input }), describeStep));
  return file;
}

const runScript = (file: string) => spawnSync('/bin/sh', [file], { encoding: 'utf8', timeout: 100_000 });
const inState = (name: string): string => path.join(dir, 'state/vms/web1', name);

describe('words', () => {
  test('whatever a word holds, a real sh hands it on unchanged', () => {
    const hostile = fc.oneof(
      anyText(),
      fc.string({
        unit: fc.constantFrom("'", '"', '\\', '$', '`', '\n', ' ', '*', '~', '#', '!', '=', '-', ';', '&', 'a'),
      }),
    );
    const word = hostile.filter((text) => !text.includes('\0') && Buffer.from(text).toString() === text);
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 30 }), (words) => {
        const out = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${shellWords(words)}`], { encoding: 'utf8' });
        expect(out.split('\0').slice(0, -1)).toEqual(words);
      }),
      { numRuns: 60 },
    );
  });

  test('plain words stay readable, and no word is an assignment', () => {
    expect(shellWord('/usr/bin/qemu-system-x86_64')).toBe('/usr/bin/qemu-system-x86_64');
    expect(shellWord('--reuid=65534')).toBe('--reuid=65534');
    expect(shellWord('PATH=/tmp')).toBe("'PATH=/tmp'");
    expect(shellWord('')).toBe("''");
  });
});

describe('the script', () => {
  test('runs the same arguments on the same descriptors, and shows the console', () => {
    const argv = [
      '-name',
      'guest=web1,debug-threads=on',
      '-device',
      '{"driver":"virtio-net-pci","id":"it\'s"}',
      '',
      'a\nb',
    ];
    const qemu = fakeQemu(
      'for word; do printf "<%s>" "$word" >&4; done; cat >&4; for fd in 0 1 2 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$fd ] || printf "%s " $fd >&4; done; echo log >&2',
    );
    const { status, stdout, stderr } = runScript(scriptOf({ qemu, argv }));
    expect(stdout).toContain(argv.map((word) => `<${word}>`).join(''));
    expect(stdout).toContain('{"execute":"qmp_capabilities"}\n0 1 2 3 4 ');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(readFileSync(inState('qemu.log'), 'utf8')).toBe('log\n');
    expect(readFileSync(inState('events'), 'utf8')).toBe('{"QMP": {}}\n{"return": {}}\n');
    expect(readFileSync(inState('console.log'), 'utf8')).toBe(stdout);
  });

  test('leaves nothing but the logs, and keeps those of the run before', () => {
    const file = scriptOf({
      qemu: fakeQemu('echo "run $$" >&4; ls "$QRUN_DIR"'.replace('"$QRUN_DIR"', `'${dir}/runtime'`)),
    });
    expect(runScript(file).status).toBe(0);
    expect(runScript(file).status).toBe(0);
    expect(readFileSync(inState('events'), 'utf8')).toContain('web1');
    expect(existsSync(path.join(dir, 'runtime/web1'))).toBe(false);
    expect(existsSync(inState('events.in'))).toBe(false);
    expect(readFileSync(inState('console.log.1'), 'utf8')).toMatch(/^run \d+\n$/);
    expect(statSync(inState('console.log')).mode & 0o777).toBe(0o600);
    expect(statSync(path.join(dir, 'state')).mode & 0o066).toBe(0);
  });

  test("QEMU's failure is 1, with its own words", () => {
    const { status, stderr } = runScript(scriptOf({ qemu: fakeQemu('echo "no such device" >&2; exit 3') }));
    expect(status).toBe(1);
    expect(stderr).toBe('no such device\n');
  });

  test("a guest that crashed is 1, though QEMU's own status is 0", () => {
    const qemu = fakeQemu(`echo '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-panic"}}'`);
    expect(runScript(scriptOf({ qemu })).status).toBe(1);
  });

  test('a second start is refused while the first runs, also when the first script was killed', async () => {
    const file = scriptOf({ qemu: fakeQemu('echo "$$" >&4; exec sleep 30') });
    const first = spawn('/bin/sh', [file], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
    const pid = await new Promise<number>((resolve) => first.stdout.once('data', (text) => resolve(Number(text))));
    const second = runScript(file);
    expect(second.status).toBe(4);
    expect(second.stderr).toContain('web1 runs already');
    first.kill('SIGKILL');
    expect(runScript(file).status).toBe(4);
    process.kill(pid, 'SIGKILL');
    const lock = path.join(dir, 'state/locks/vm.web1');
    await expect.poll(() => spawnSync('flock', ['-n', lock, 'true']).status).toBe(0);
    process.kill(-(first.pid ?? 0), 'SIGKILL'); // tail, where nobody reaps the dead
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('%s ends QEMU, cleans up and is %i', async (signal, wanted) => {
    const file = scriptOf({
      qemu: fakeQemu('trap "echo ended >&4; exit 0" TERM; echo up >&4; while :; do sleep 0.05; done'),
    });
    const script = spawn('/bin/sh', [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    script.stdout.on('data', (chunk) => {
      if (text === '') script.kill(signal);
      text += String(chunk);
    });
    const status = await new Promise((resolve) => script.once('close', resolve));
    expect(text).toBe('up\nended\n');
    expect(status).toBe(wanted);
    expect(existsSync(path.join(dir, 'runtime/web1'))).toBe(false);
  });

  test('the same signal twice gives nothing back while QEMU lives', async () => {
    const runtime = path.join(dir, 'runtime/web1');
    const qemu = fakeQemu(`n=0
trap 'n=$((n + 1)); echo "$n" >&4' TERM
echo up >&4
until [ "$n" -ge 2 ]; do sleep 0.05; done
sleep 0.5
[ -d '${runtime}' ] && echo kept >&4
exit 0`);
    const file = scriptOf({ qemu, console: 'none' });
    const script = spawn('/bin/sh', [file], { stdio: 'ignore' });
    const said = (): string => (existsSync(inState('console.log')) ? readFileSync(inState('console.log'), 'utf8') : '');
    for (const words of ['up\n', 'up\n1\n']) {
      await expect.poll(said, { timeout: 30_000 }).toBe(words);
      script.kill('SIGTERM');
    }
    const status = await new Promise((resolve) => script.once('close', resolve));
    expect(said()).toBe('up\n1\n2\nkept\n');
    expect(status).toBe(143);
    expect(existsSync(runtime)).toBe(false);
  });

  test('a failing step gives back what was taken, and nothing else', () => {
    const bad: Step = {
      kind: 'hook',
      id: 'hook:beforeStart',
      needsRoot: false,
      when: 'beforeStart',
      argv: ['/bin/sh', '-c', 'test "$WHAT" = "a b" && exit 9'],
      env: { WHAT: 'a b' },
    };
    const { status, stderr } = runScript(scriptOf({ qemu: fakeQemu('echo never >&4'), steps: [bad] }));
    expect(stderr).toContain('hook failed');
    expect(status).toBe(3);
    expect(existsSync(path.join(dir, 'runtime/web1'))).toBe(false);
    expect(existsSync(inState('events'))).toBe(false);
  });

  test('a disk is made once, and goes again only if QEMU never ran', () => {
    const disk: Step = {
      kind: 'disk',
      id: 'disk:0',
      needsRoot: false,
      file: path.join(dir, "it's a disk.qcow2"),
      format: 'qcow2',
      sizeBytes: 1024 * 1024,
      temporary: false,
      ownDirectory: false,
    };
    const failing = path.join(dir, 'failing');
    writeFileSync(failing, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    expect(runScript(scriptOf({ qemu: failing, steps: [disk] })).status).toBe(1);
    expect(existsSync(disk.file)).toBe(false);
    const file = scriptOf({ qemu: fakeQemu(':'), steps: [disk] });
    expect(runScript(file).status).toBe(0);
    const made = statSync(disk.file);
    expect(runScript(file).status).toBe(0);
    expect(statSync(disk.file).ino).toBe(made.ino);
  });

  test('a link in place of the lock is refused', () => {
    const file = scriptOf({ qemu: fakeQemu(':') });
    expect(runScript(file).status).toBe(0);
    const lock = path.join(dir, 'state/locks/vm.web1');
    rmSync(lock);
    execFileSync('ln', ['-s', path.join(dir, 'victim'), lock]);
    expect(runScript(file).status).toBe(3);
    expect(existsSync(path.join(dir, 'victim'))).toBe(false);
  });

  test('a directory that others can write is refused', () => {
    const file = scriptOf({ qemu: fakeQemu(':') });
    expect(runScript(file).status).toBe(0);
    chmodSync(path.join(dir, 'state/locks'), 0o777);
    const { status, stderr } = runScript(file);
    expect(status).toBe(3);
    expect(stderr).toContain('state/locks is not a directory that you alone can write');
  });
});

describe('ports', () => {
  const step = (port: number | 'auto'): Step => ({
    kind: 'port',
    id: 'port:net0:0',
    needsRoot: false,
    protocol: 'tcp',
    address: '127.0.0.1',
    port,
  });
  const forward = { protocol: 'tcp', hostAddress: '127.0.0.1', guestPort: 22, step: 'port:net0:0' } as const;

  test('a fixed port that somebody listens on is 4', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    const file = scriptOf({ qemu: fakeQemu('echo ran >&4'), steps: [step(port)] });
    const taken = runScript(file);
    expect(taken.stderr).toBe(`tcp port ${port} on 127.0.0.1 is in use\n`);
    expect(taken.status).toBe(4);
    await new Promise((resolve) => server.close(resolve));
    expect(runScript(file).stdout).toBe('ran\n');
  });

  test("an auto port is chosen by the script, and stands in QEMU's arguments", () => {
    const written = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 'auto', guestPort: 22 } as const;
    const nics = [aNic([{ ...forward, hostPort: 'auto', written }])];
    const argv = ['-netdev', '{"type":"user","hostfwd":[{"str":"tcp:127.0.0.1:0-10.0.2.15:22"}]}'];
    const qemu = fakeQemu('printf "%s" "$2" >&4');
    const { stdout, stderr } = runScript(scriptOf({ qemu, argv, nics, steps: [step('auto')] }));
    const [, port] = /port (\d+) of 127\.0\.0\.1 is port 22\/tcp of the guest/.exec(stderr) ?? [];
    expect(Number(port)).toBeGreaterThanOrEqual(32768);
    expect(stdout).toBe(`{"type":"user","hostfwd":[{"str":"tcp:127.0.0.1:${port}-10.0.2.15:22"}]}`);
  });
});

const shellcheck = spawnSync('shellcheck', ['--version']).status === 0;
test.skipIf(!shellcheck)('shellcheck has nothing to say (skipped without shellcheck)', () => {
  const hook: Step = {
    kind: 'hook',
    id: 'hook:afterStop',
    needsRoot: false,
    when: 'afterStop',
    argv: ['/bin/true'],
    env: { A: 'b c' },
  };
  const copy: Step = {
    kind: 'copy',
    id: 'uefi-vars',
    needsRoot: false,
    from: '/a',
    to: '/b c/d',
    owner: { uid: 1, gid: 2 },
  };
  const auto: Step = {
    kind: 'port',
    id: 'port:net0:0',
    needsRoot: true,
    protocol: 'udp',
    address: '0.0.0.0',
    port: 53,
  };
  const file = scriptOf({
    qemu: '/usr/bin/qemu-system-x86_64',
    argv: ['-nodefaults', '-m', '512'],
    steps: [hook, copy, auto],
  });
  const { stdout, status } = spawnSync('shellcheck', ['--shell=sh', '--severity=style', file], { encoding: 'utf8' });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});
