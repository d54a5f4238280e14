import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SocketPathStep } from '../../src/plan/step.ts';
import { socketPath, withMadeSocket } from '../../src/resources/socket-path.ts';
import { createSystem } from '../../src/system/real.ts';

let place: string;
const servers: Server[] = [];
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-sock-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  rmSync(place, { recursive: true });
});

const file = (name = 'a.sock'): string => path.join(place, name);
const step = (changes: Partial<SocketPathStep> = {}): SocketPathStep => ({
  kind: 'socket-path',
  id: 'listen:net0',
  needsRoot: false,
  path: file(),
  use: 'bind',
  ...changes,
});
const system = createSystem();
const context = { system, runId: 'r1', descriptors: new Map<number, number>(), warn: () => {}, record: () => {} };
const ended = { system, runId: 'r1', started: true, sameBoot: true };

async function listen(at = file()): Promise<Server> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(at, resolve));
  return server;
}

/** A socket's file that nobody is behind: Node removes the name that it bound, so it gets another one before. */
async function leaveDead(at = file()): Promise<void> {
  const server = await listen(file('made'));
  renameSync(file('made'), at);
  servers.splice(servers.indexOf(server), 1);
  await new Promise((resolve) => server.close(resolve));
}

describe('before QEMU', () => {
  test('a free path is taken, and one with a dead socket, which QEMU replaces', async () => {
    expect(await socketPath.acquire(step(), context)).toEqual({ before: null });
    await leaveDead();
    expect(await socketPath.acquire(step(), context)).toEqual({ before: expect.stringMatching(/^\d+:\d+:/) });
    expect(lstatSync(file()).isSocket()).toBe(true);
  });

  test('ABUSE 65: a socket that somebody has is refused by the pid, and stays', async () => {
    await listen();
    await expect(socketPath.acquire(step(), context)).rejects.toMatchObject({
      code: 'in-use',
      message: expect.stringContaining(`(pid ${process.pid})`),
    });
    expect(lstatSync(file()).isSocket()).toBe(true);
  });

  test('also when it was bound by another name', async () => {
    await listen(file('other'));
    renameSync(file('other'), file());
    await expect(socketPath.acquire(step(), context)).rejects.toMatchObject({ code: 'in-use' });
  });

  test.each(['bind', 'connect'] as const)(
    'ABUSE 42: to %s to a link is refused, and to what is no socket',
    async (use) => {
      writeFileSync(file('victim'), 'x');
      symlinkSync(file('victim'), file());
      const link = socketPath.acquire(step({ use }), context);
      await expect(link).rejects.toMatchObject({
        code: 'unsafe-file',
        message: expect.stringContaining('symbolic link'),
      });
      const plain = socketPath.acquire(step({ use, path: file('victim') }), context);
      await expect(plain).rejects.toMatchObject({ code: 'unsafe-file', message: expect.stringContaining('is a file') });
      mkdirSync(file('dir'));
      const directory = socketPath.acquire(step({ use, path: file('dir') }), context);
      await expect(directory).rejects.toMatchObject({ message: expect.stringContaining('is a directory') });
      expect(readFileSync(file('victim'), 'utf8')).toBe('x');
    },
  );

  test('a directory that is not there is an error that says so', async () => {
    for (const use of ['bind', 'connect'] as const) {
      const acquired = socketPath.acquire(step({ use, path: file('none/a.sock') }), context);
      await expect(acquired).rejects.toMatchObject({
        message: expect.stringContaining(`no directory ${file('none')}`),
      });
    }
  });

  test("a directory that root's QEMU may not write is refused before QEMU tries", async () => {
    chmodSync(place, 0o700);
    const runAs = { name: 'nobody', uid: 65_534, gid: 65_534 };
    await expect(socketPath.acquire(step({ runAs }), context)).rejects.toMatchObject({ code: 'permission' });
  });

  test('to connect to what is not there yet, or is there and listens, is nobody’s fault', async () => {
    expect(await socketPath.acquire(step({ use: 'connect' }), context)).toEqual({});
    const server = await listen();
    let connections = 0;
    server.on('connection', () => (connections += 1));
    expect(await socketPath.acquire(step({ use: 'connect' }), context)).toEqual({});
    expect(connections).toBe(0);
  });
});

describe('after QEMU', () => {
  test('the socket that it left is removed, twice', async () => {
    const record = await socketPath.acquire(step(), context);
    await leaveDead();
    const made = withMadeSocket(step(), record);
    expect(made).toMatchObject({ made: expect.any(String) });
    await socketPath.release(step(), made, ended);
    expect(existsSync(file())).toBe(false);
    await socketPath.release(step(), made, ended);
    await leaveDead();
    // killed before it could be noted
    await socketPath.release(step(), record, ended);
    expect(existsSync(file())).toBe(false);
  });

  test('what was there before, and is there still, is not ours', async () => {
    await leaveDead();
    const record = await socketPath.acquire(step(), context);
    await socketPath.release(step(), record, ended);
    expect(existsSync(file())).toBe(true);
    await socketPath.release(step(), undefined, ended);
    expect(existsSync(file())).toBe(true);
  });

  test('what somebody put in its place stays: a file, a link, a socket', async () => {
    await leaveDead();
    const made = withMadeSocket(step(), { before: null });
    renameSync(file(), file('moved'));
    const release = (): Promise<void> => socketPath.release(step(), made, ended);
    writeFileSync(file(), 'x');
    await release();
    expect(readFileSync(file(), 'utf8')).toBe('x');
    rmSync(file());
    symlinkSync(file('moved'), file());
    await release();
    expect(lstatSync(file()).isSymbolicLink()).toBe(true);
    rmSync(file());
    await leaveDead();
    await release();
    expect(existsSync(file())).toBe(true);
    expect(existsSync(file('moved'))).toBe(true);
  });

  test('one that somebody has is not removed', async () => {
    await listen();
    await socketPath.release(step(), withMadeSocket(step(), { before: null }), ended);
    expect(existsSync(file())).toBe(true);
  });

  test('the other end’s is never removed', async () => {
    await leaveDead();
    const connect = step({ use: 'connect' });
    expect(withMadeSocket(connect, {})).toEqual({});
    await socketPath.release(connect, {}, ended);
    expect(existsSync(file())).toBe(true);
    expect(socketPath.describe(connect).release).toEqual([]);
  });

  test('root removes nothing where others could lead its hand', async () => {
    await leaveDead();
    const own = { name: 'me', uid: system.uid, gid: system.gid };
    chmodSync(place, 0o777);
    await socketPath.release(step({ runAs: own }), { before: null }, ended);
    expect(existsSync(file())).toBe(true);
    chmodSync(place, 0o700);
    await socketPath.release(step({ runAs: own }), { before: null }, ended);
    expect(existsSync(file())).toBe(false);
  });
});
