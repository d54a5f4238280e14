import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { VdeSwitchStep } from '../../../src/plan/step.ts';
import { vdeSwitch } from '../../../src/resources/vde-switch.ts';
import { createSystem } from '../../../src/system/real.ts';
import type { System } from '../../../src/system/system.ts';

let place: string;
const servers: Server[] = [];
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-vde-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  rmSync(place, { recursive: true });
});

const real = createSystem();
const withVde: System = { ...real, which: (tool) => (tool === 'vde_switch' ? '/usr/bin/vde_switch' : undefined) };
const without: System = { ...real, which: () => undefined };

const directory = (): string => path.join(place, 'switch');
const control = (): string => path.join(directory(), 'ctl');
const acquire = (changes: Partial<VdeSwitchStep> = {}, system = withVde) =>
  vdeSwitch.acquire(
    { kind: 'vde-switch', id: 'switch:net0', needsRoot: false, directory: directory(), ...changes },
    { system, runId: 'r1', descriptors: new Map(), warn: () => {}, record: () => {} },
  );

async function listen(at = control()): Promise<Server> {
  const server = createServer((connection) => connection.on('error', () => {}));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(at, resolve));
  return server;
}

/** What a killed switch leaves: the name of a socket that nobody has. */
async function leaveDead(): Promise<void> {
  const made = path.join(place, 'made');
  const server = await listen(made);
  renameSync(made, control());
  servers.splice(servers.indexOf(server), 1);
  await new Promise((resolve) => server.close(resolve));
}

test('a switch that listens is taken, and nothing is kept', async () => {
  mkdirSync(directory());
  await listen();
  expect(await acquire()).toEqual({});
});

describe('what is not there', () => {
  const start = (): string => `vde_switch -s ${directory()} -m 0600 -d`;

  test('no directory', async () => {
    await expect(acquire()).rejects.toMatchObject({ code: 'host-failed', hint: start() });
  });

  test('a directory without a switch', async () => {
    mkdirSync(directory());
    await expect(acquire()).rejects.toMatchObject({
      code: 'host-failed',
      message: `no VDE switch listens in ${directory()}`,
      hint: start(),
    });
  });

  test('a switch that was killed', async () => {
    mkdirSync(directory());
    await leaveDead();
    await expect(acquire()).rejects.toMatchObject({
      code: 'host-failed',
      message: expect.stringContaining('ended'),
      hint: start(),
    });
  });

  test('without vde_switch the package is the way', async () => {
    await expect(acquire({}, without)).rejects.toMatchObject({
      code: 'missing-tool',
      hint: 'sudo apt-get install vde2',
    });
  });

  test('a file where a directory is to be on the way', async () => {
    writeFileSync(directory(), '');
    await expect(acquire({ directory: path.join(directory(), 'deeper') })).rejects.toMatchObject({
      code: 'host-failed',
    });
  });
});

describe('what is something else', () => {
  test('a socket of another one who may make some in its directory is not the switch', async () => {
    mkdirSync(directory());
    await listen();
    const uid = process.getuid?.() ?? 0;
    expect(await acquire({ owner: uid })).toEqual({});
    await expect(acquire({ owner: uid + 1, mend: 'sudo qrun net up lan0' })).rejects.toMatchObject({
      code: 'unsafe-file',
      message: `${control()} is of uid ${uid}, and not of the switch's account (uid ${uid + 1})`,
      hint: `sudo rm -rf ${control()}; sudo qrun net up lan0`,
    });
  });

  test('ABUSE 42: a link instead of the directory', async () => {
    mkdirSync(path.join(place, 'real'));
    await listen(path.join(place, 'real/ctl'));
    symlinkSync(path.join(place, 'real'), directory());
    await expect(acquire()).rejects.toMatchObject({
      code: 'unsafe-file',
      message: expect.stringContaining('symbolic link'),
    });
  });

  test('ABUSE 42: a link instead of its socket', async () => {
    mkdirSync(directory());
    await listen(path.join(place, 'victim'));
    symlinkSync(path.join(place, 'victim'), control());
    await expect(acquire()).rejects.toMatchObject({ code: 'unsafe-file' });
  });

  test('a file instead of its socket, the socket itself instead of the directory', async () => {
    mkdirSync(directory());
    writeFileSync(control(), '');
    await expect(acquire()).rejects.toMatchObject({ code: 'unsafe-file', message: `${control()} is no socket` });
    await expect(acquire({ directory: control() })).rejects.toMatchObject({
      code: 'unsafe-file',
      message: `${control()} is no directory`,
    });
  });
});

test("root's QEMU is another user's, who may not join what is root's alone", async () => {
  mkdirSync(directory());
  await listen();
  const runAs = { name: 'nobody', uid: 65_534, gid: 65_534 };
  chmodSync(place, 0o755);
  chmodSync(control(), 0o700);
  await expect(acquire({ runAs })).rejects.toMatchObject({
    code: 'permission',
    message: expect.stringContaining('nobody'),
  });
  chmodSync(control(), 0o777);
  expect(await acquire({ runAs })).toEqual({});
});

test('a switch of another user that shuts this one out', async (context) => {
  if (process.getuid?.() === 0) return context.skip('root may join every switch');
  mkdirSync(directory());
  await listen();
  chmodSync(control(), 0);
  await expect(acquire()).rejects.toMatchObject({ code: 'permission', hint: expect.stringContaining('-m 0660') });
});
