import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PasstStep } from '../../src/plan/step.ts';
import { passt } from '../../src/resources/passt.ts';
import { AutoPortTaken } from '../../src/resources/port.ts';
import { readIdentity, readProcess } from '../../src/system/processes.ts';
import { createSystem } from '../../src/system/real.ts';
import type { RunResult, System } from '../../src/system/system.ts';

let place: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-passt-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(place, { recursive: true });
});

const at = (name: string): string => path.join(place, name);
const step = (changes: Partial<PasstStep> = {}): PasstStep => ({
  kind: 'passt',
  id: 'passt:net0',
  needsRoot: false,
  argv: ['/usr/bin/passt', '--one-off', '--socket', at('passt0')],
  forwards: [],
  socket: at('passt0'),
  pidFile: at('passt0.pid'),
  log: at('passt.net0.log'),
  ...changes,
});

/** What others see of a passt: a process with its name and arguments. It may be deaf to SIGTERM. */
async function startLike(name: string, words: readonly string[], deaf = false): Promise<number> {
  const code = `${deaf ? "process.on('SIGTERM', () => {});" : ''}console.log('up'); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ['-e', code, '--', ...words], {
    argv0: name,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child.pid ?? 0;
}

const real = createSystem();
const ended = { system: real, runId: 'r1', started: true, sameBoot: true };
/** A process that has ended and was not yet waited for is none. */
const isRunning = (pid: number): boolean => !'ZX'.includes(readProcess(pid)?.state ?? 'X');

function acquire(one: PasstStep, runNow: (argv: readonly string[]) => Partial<RunResult>, taken = new Map()) {
  const system: System = {
    ...real,
    runNow: (tool, args) => ({ status: 0, stdout: '', stderr: '', ...runNow([tool, ...args]) }),
  };
  return passt.acquire(one, { system, runId: 'r1', descriptors: new Map(), warn: () => {}, record: () => {}, taken });
}

describe('before QEMU', () => {
  test('it is run to its place in the background, and who it is is kept', async () => {
    const pid = await startLike('passt', ['--socket', at('passt0')]);
    let command: readonly string[] = [];
    const record = await acquire(step(), (argv) => {
      command = argv;
      writeFileSync(at('passt0.pid'), `${pid}\n`);
      return {};
    });
    expect(command).toEqual(step().argv);
    expect(record).toEqual(readIdentity(pid));
  });

  test('what a dead run left is not in its way; its log is this user’s alone, and empty', async () => {
    for (const name of ['passt0', 'passt0.pid', 'passt.net0.log']) writeFileSync(at(name), '1', { mode: 0o644 });
    rmSync(at('passt.net0.log'));
    await acquire(step(), () => ({}));
    expect(existsSync(at('passt0'))).toBe(false);
    expect(existsSync(at('passt0.pid'))).toBe(false);
    expect(statSync(at('passt.net0.log')).mode & 0o777).toBe(0o600);
  });

  test('ABUSE 42: a link in the place of its log is refused, and the victim unchanged', async () => {
    writeFileSync(at('victim'), 'x');
    symlinkSync(at('victim'), at('passt.net0.log'));
    await expect(acquire(step(), () => ({}))).rejects.toMatchObject({ code: 'unsafe-state' });
    expect(readFileSync(at('victim'), 'utf8')).toBe('x');
  });

  test('forwards get the ports that were taken for them', async () => {
    const forwards = [
      { protocol: 'tcp', address: '127.0.0.1', port: 'auto', guestPort: 22, step: 'port:net0:0' },
      { protocol: 'udp', address: '::1', port: 53, guestPort: 5353, step: 'port:net0:1' },
    ] as const;
    let command: readonly string[] = [];
    const taken = new Map([['port:net0:0', { port: 40_001 }]]);
    await acquire(step({ forwards }), (argv) => ((command = argv), {}), taken);
    expect(command.slice(-4)).toEqual(['--tcp-ports', '127.0.0.1/40001:22', '--udp-ports', '::1/53:5353']);
  });
});

describe('a passt that does not start', () => {
  test('says why in its own words', async () => {
    const stderr = 'Failed to send 36 bytes to syslog\nExternal interface not usable\n';
    await expect(acquire(step(), () => ({ status: 1, stderr }))).rejects.toMatchObject({
      code: 'host-failed',
      causes: ['External interface not usable'],
      hint: expect.stringContaining('ip route'),
    });
    await expect(acquire(step(), () => ({ status: 1, stderr: 'No such thing\n' }))).rejects.toMatchObject({
      code: 'host-failed',
      message: 'passt ended: No such thing',
      hint: expect.stringContaining('/usr/bin/passt --one-off'),
    });
    await expect(
      acquire(step(), () => ({ status: 1, stderr: 'UNIX domain socket bind: Permission denied\n' })),
    ).rejects.toMatchObject({ code: 'permission', hint: expect.stringContaining('AppArmor') });
  });

  test('ABUSE 35: for a port that somebody has names him; one that was only found is looked for again', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1' }, resolve));
    const { port } = server.address() as { port: number };
    const stderr = `Failed to bind any port for '-t 127.0.0.1/${port}:80', exiting\n`;
    const forward = { protocol: 'tcp', address: '127.0.0.1', guestPort: 80, step: 'port:net0:0' } as const;
    try {
      const fixed = acquire(step({ forwards: [{ ...forward, port }] }), () => ({ status: 1, stderr }));
      await expect(fixed).rejects.toMatchObject({
        code: 'in-use',
        message: expect.stringContaining(`(pid ${process.pid})`),
      });
      const taken = new Map([['port:net0:0', { port }]]);
      const found = acquire(step({ forwards: [{ ...forward, port: 'auto' }] }), () => ({ status: 1, stderr }), taken);
      await expect(found).rejects.toBeInstanceOf(AutoPortTaken);
    } finally {
      server.close();
    }
  });
});

describe('after QEMU', () => {
  test('with its record it is ended, its files go, and its log stays; twice is once', async () => {
    const pid = await startLike('passt', ['--socket', at('passt0')]);
    for (const name of ['passt0', 'passt0.pid', 'passt.net0.log']) writeFileSync(at(name), `${pid}`);
    const record = { ...readIdentity(pid) };
    await passt.release(step(), record, ended);
    expect(isRunning(pid)).toBe(false);
    expect(existsSync(at('passt0')) || existsSync(at('passt0.pid'))).toBe(false);
    expect(existsSync(at('passt.net0.log'))).toBe(true);
    await passt.release(step(), record, ended);
  });

  test('without one it is known by the socket among its arguments, under the name of its faster build too', async () => {
    const own = [
      await startLike('passt', ['--socket', at('passt0')]),
      await startLike('/usr/bin/passt.avx2', ['-q', '--socket', at('passt0'), '--pid', 'x']),
    ];
    const others = [
      await startLike('passt', ['--socket', at('passt1')]),
      await startLike('cat', ['--socket', at('passt0')]),
      await startLike('passt', ['--log-file', at('passt0')]),
    ];
    await passt.release(step(), undefined, ended);
    expect(own.map(isRunning)).toEqual([false, false]);
    expect(others.map(isRunning)).toEqual([true, true, true]);
  });

  test('one that does not hear is ended all the same', async () => {
    const pid = await startLike('passt', ['--socket', at('passt0')], true);
    await passt.release(step(), { ...readIdentity(pid) }, ended);
    expect(isRunning(pid)).toBe(false);
  });

  test('a number that is another’s by now is left alone, and so is everybody after a reboot', async () => {
    const pid = await startLike('passt', ['--socket', at('passt0')]);
    const other = { ...readIdentity(pid), startTime: 1 };
    await passt.release(step(), other, ended);
    await passt.release(step(), undefined, { ...ended, sameBoot: false });
    await passt.release(step({ owner: { uid: 65_534, gid: 65_534 } }), undefined, ended);
    expect(isRunning(pid)).toBe(true);
  });
});
