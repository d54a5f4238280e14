import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { copy } from '../../../src/resources/copy.ts';
import { directory } from '../../../src/resources/directory.ts';
import { hook } from '../../../src/resources/hook.ts';
import { openFile } from '../../../src/resources/open-file.ts';
import { port } from '../../../src/resources/port.ts';
import { createSystem } from '../../../src/system/real.ts';
import { needsRoot } from '../../harness/needs.ts';
import { hurried } from '../hurried.ts';

let place: string;
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-res-'));
});
afterEach(() => rmSync(place, { recursive: true }));

const context = () => ({
  system: createSystem(),
  runId: 'r1',
  descriptors: new Map<number, number>(),
  warn: () => {},
  record: () => {},
});
const ended = { system: createSystem(), runId: 'r1', started: true, sameBoot: true };
const failed = { ...ended, started: false };

describe('directory', () => {
  const step = () =>
    ({ kind: 'directory', id: 'runtime', needsRoot: false, path: path.join(place, 'run', 'web1') }) as const;

  test('is private, is emptied of what a dead run left, and goes with all that is in it, twice', async () => {
    await directory.acquire(step(), context());
    expect(statSync(step().path).mode & 0o777).toBe(0o700);
    writeFileSync(path.join(step().path, 'qmp'), '');
    await directory.acquire(step(), context());
    expect(existsSync(path.join(step().path, 'qmp'))).toBe(false);
    await directory.release(step(), {}, ended);
    await directory.release(step(), undefined, ended);
    expect(existsSync(step().path)).toBe(false);
  });

  test('the directory above it, which another run takes away when it is empty, is made again', async () => {
    const loop = 'for (;;) try { require("fs").rmdirSync(process.argv[1]) } catch {}';
    const other = spawn(process.execPath, ['-e', loop, path.join(place, 'run')], { stdio: 'ignore' });
    onTestFinished(() => void other.kill('SIGKILL'));
    for (let round = 0; round < 300; round += 1) {
      await directory.acquire(step(), context());
      await directory.release(step(), undefined, ended);
    }
    expect(existsSync(step().path)).toBe(false);
    other.kill('SIGKILL');
    await once(other, 'exit');
  });

  test('its own directory, which in /tmp somebody else may have made first, must be for nobody else to write', async () => {
    const parent = path.join(place, 'run');
    await directory.acquire(step(), context());
    expect(statSync(parent)).toMatchObject({ uid: process.getuid?.() });
    expect(statSync(parent).mode & 0o066).toBe(0);
    await directory.release(step(), undefined, ended);
    chmodSync(parent, 0o777);
    await expect(directory.acquire(step(), context())).rejects.toMatchObject({ code: 'unsafe-state' });
    expect(existsSync(step().path)).toBe(false);
  });

  test('its own directory as another user made it', async (testContext) => {
    needsRoot(testContext);
    const parent = path.join(place, 'run');
    mkdirSync(parent, { mode: 0o700 });
    chownSync(parent, 12_345, 12_345);
    await expect(directory.acquire(step(), context())).rejects.toMatchObject({ code: 'unsafe-state' });
    expect(existsSync(step().path)).toBe(false);
  });

  test('what is above it is a file: that is refused, and there is nothing to give back', async () => {
    writeFileSync(path.join(place, 'run'), '');
    await expect(directory.acquire(step(), context())).rejects.toMatchObject({
      code: 'unsafe-state',
      message: expect.stringContaining(`${path.join(place, 'run')} is not a directory`) as string,
    });
    await directory.release(step(), undefined, ended);
    expect(lstatSync(path.join(place, 'run')).isFile()).toBe(true);
  });

  test('ABUSE 42: a link in its place is refused, and what it points to is untouched', async () => {
    const victim = path.join(place, 'victim');
    mkdirSync(victim);
    writeFileSync(path.join(victim, 'precious'), 'x');
    mkdirSync(path.join(place, 'run'), { mode: 0o700 });
    symlinkSync(victim, step().path);
    await expect(directory.acquire(step(), context())).rejects.toMatchObject({ code: 'unsafe-state' });
    // what this run made was a directory: a link is not its to give back
    await directory.release(step(), undefined, ended);
    expect(lstatSync(step().path).isSymbolicLink()).toBe(true);
    expect(readFileSync(path.join(victim, 'precious'), 'utf8')).toBe('x');
  });

  test('ABUSE 65: a socket that somebody listens on is not taken, nor removed', async () => {
    await directory.acquire(step(), context());
    const socket = path.join(step().path, 'qmp');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    await expect(hurried(() => directory.acquire(step(), context()))).rejects.toMatchObject({ code: 'in-use' });
    await hurried(() => directory.release(step(), undefined, ended));
    expect(existsSync(socket)).toBe(true);
    await new Promise((resolve) => server.close(resolve));
    writeFileSync(socket, 'dead');
    await directory.release(step(), undefined, ended);
    expect(existsSync(step().path)).toBe(false);
  });

  test('one that another run made in its place stays', async () => {
    await directory.acquire(step(), context());
    await directory.release(step(), { inode: statSync(step().path).ino + 1 }, ended);
    expect(existsSync(step().path)).toBe(true);
  });

  test('a link inside goes, what it points to stays', async () => {
    const victim = path.join(place, 'victim');
    writeFileSync(victim, 'x');
    await directory.acquire(step(), context());
    symlinkSync(victim, path.join(step().path, 'console'));
    await directory.release(step(), {}, ended);
    expect(readFileSync(victim, 'utf8')).toBe('x');
  });
});

describe('open-file', () => {
  const log = () =>
    ({
      kind: 'open-file',
      id: 'fd:2',
      needsRoot: false,
      path: path.join(place, 'log'),
      fd: 2,
      mode: 'append',
      rotate: true,
    }) as const;

  test('a log is appended to; the one of the run before is kept once', async () => {
    for (const run of ['first', 'second', 'third']) {
      const { descriptors, ...rest } = context();
      await openFile.acquire(log(), { descriptors, ...rest });
      const fd = descriptors.get(2) ?? -1;
      writeSync(fd, run);
      closeSync(fd);
    }
    expect(readFileSync(log().path, 'utf8')).toBe('third');
    expect(readFileSync(`${log().path}.1`, 'utf8')).toBe('second');
    expect(statSync(log().path).mode & 0o777).toBe(0o600);
    await openFile.release(log(), {}, ended);
    expect(existsSync(log().path)).toBe(true);
  });

  test('ABUSE 42: a link in its place is not followed', async () => {
    const victim = path.join(place, 'victim');
    writeFileSync(victim, 'x');
    const step = { ...log(), rotate: false };
    symlinkSync(victim, step.path);
    await expect(openFile.acquire(step, context())).rejects.toThrow(/ELOOP/);
    expect(readFileSync(victim, 'utf8')).toBe('x');
  });

  test('a file that was made to be read is removed at the end', async () => {
    const step = {
      kind: 'open-file',
      id: 'fd:0',
      needsRoot: false,
      path: path.join(place, 'in'),
      fd: 0,
      mode: 'read',
      rotate: false,
      content: 'hello',
    } as const;
    const { descriptors, ...rest } = context();
    await openFile.acquire(step, { descriptors, ...rest });
    expect(readFileSync(descriptors.get(0) ?? -1, 'utf8')).toBe('hello');
    closeSync(descriptors.get(0) ?? -1);
    await openFile.release(step, {}, ended);
    await openFile.release(step, {}, ended);
    expect(existsSync(step.path)).toBe(false);
    expect(openFile.describe(step)).toEqual({
      acquire: [
        { op: 'write', path: step.path, content: 'hello' },
        { op: 'open', path: step.path, fd: 0, mode: 'read' },
      ],
      release: [{ op: 'remove', path: step.path }],
    });
  });
});

describe('copy', () => {
  const step = () =>
    ({
      kind: 'copy',
      id: 'uefi',
      needsRoot: false,
      from: path.join(place, 'vars'),
      to: path.join(place, 'vm', 'vars.fd'),
    }) as const;
  beforeEach(() => writeFileSync(path.join(place, 'vars'), 'template'));

  test('is made once and kept', async () => {
    expect(await copy.acquire(step(), context())).toMatchObject({ made: true });
    writeFileSync(step().to, 'of the guest');
    expect(await copy.acquire(step(), context())).toEqual({ made: false });
    await copy.release(step(), { made: false }, failed);
    await copy.release(step(), { made: true }, ended);
    expect(readFileSync(step().to, 'utf8')).toBe('of the guest');
  });

  test('is removed again when the start that made it failed', async () => {
    const record = await copy.acquire(step(), context());
    await copy.release(step(), record, failed);
    expect(existsSync(step().to)).toBe(false);
  });
});

describe('hook', () => {
  const step = (when: 'beforeStart' | 'afterStop', argv: string[]) =>
    ({ kind: 'hook', id: `hook:${when}`, needsRoot: false, when, argv, env: { QRUN_VM: 'web1' } }) as const;

  test('runs directly, with its environment, at its time only', async () => {
    const out = path.join(place, 'out');
    const script = path.join(place, 'hook.sh');
    writeFileSync(script, `#!/bin/sh\necho "$QRUN_VM $1" >>${out}\n`, { mode: 0o755 });
    await hook.acquire(step('beforeStart', [script, '$(id)']), context());
    await hook.release(step('beforeStart', [script, 'never']), {}, ended);
    await hook.acquire(step('afterStop', [script, 'never']), context());
    await hook.release(step('afterStop', [script, 'after']), {}, ended);
    await hook.release(step('afterStop', [script, 'not without a record']), undefined, ended);
    expect(readFileSync(out, 'utf8')).toBe('web1 $(id)\nweb1 after\n');
  });

  test('one that fails says so with its last words', async () => {
    await expect(
      hook.acquire(step('beforeStart', ['/bin/sh', '-c', 'echo no room >&2; exit 7']), context()),
    ).rejects.toMatchObject({
      message: expect.stringContaining('status 7'),
      causes: ['no room'],
    });
  });
});

describe('port', () => {
  let server: Server;
  let taken: number;
  beforeEach(async () => {
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    taken = typeof address === 'object' && address !== null ? address.port : 0;
  });
  afterEach(() => server.close());
  const step = (wanted: number | 'auto', last?: number) =>
    ({
      kind: 'port',
      id: 'port:net0:0',
      needsRoot: false,
      protocol: 'tcp',
      address: '127.0.0.1',
      port: wanted,
      ...(last !== undefined && { last }),
    }) as const;

  test('ABUSE 35: one that is in use is refused, with the process that has it', async () => {
    await expect(port.acquire(step(taken), context())).rejects.toMatchObject({
      code: 'in-use',
      message: expect.stringMatching(new RegExp(`tcp port ${taken} on 127.0.0.1 is in use by .*${process.pid}`)),
    });
  });

  test("auto is a free one, and last time's if that is still free", async () => {
    const { port: chosen } = await port.acquire(step('auto'), context());
    expect(chosen).toBeGreaterThan(1023);
    expect(await port.acquire(step('auto', Number(chosen)), context())).toEqual({ port: chosen });
    expect((await port.acquire(step('auto', taken), context()))['port']).not.toBe(taken);
  });

  test("an address that is not the host's is named", async () => {
    await expect(port.acquire({ ...step(8080), address: '192.0.2.77' }, context())).rejects.toMatchObject({
      code: 'host-failed',
      message: expect.stringContaining('192.0.2.77'),
    });
  });

  test('a UDP port is not a TCP port', async () => {
    expect(await port.acquire({ ...step(taken), protocol: 'udp' }, context())).toEqual({ port: taken });
  });
});
