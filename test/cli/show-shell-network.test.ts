/** `qrun show --shell` of a VM on a network: scripts and qrun's own runs find one another's network, and nothing of it is left. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAlive, needsQemu, waitUntil, type Home, type Running } from '../harness/harness.ts';
import { parseDocument } from '../harness/document.ts';
import {
  createNetworkHome,
  hub,
  infoOf,
  killAll,
  lastingOfNetworks,
  networkProcesses,
  noNetworkLeft,
  onLab,
} from './a-network.ts';
import { detach, eventually, leftOf, ps } from './a-vm.ts';

async function writeScript(home: Home, name: string): Promise<string> {
  const { status, stdout, stderr } = await home.qrun(['show', name, '--shell']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return home.write(`${name}.sh`, stdout);
}

interface Started {
  readonly script: Running;
  /** QEMU's. */
  readonly pid: number;
}

/** It is free of what tells qrun where its places are: a script has them in it. */
async function startScript(home: Home, name: string, file?: string): Promise<Started> {
  const own = file ?? (await writeScript(home, name));
  const places = ['QRUN_CONFIG_DIR', 'QRUN_STATE_DIR', 'QRUN_RUNTIME_DIR', 'QRUN_CACHE_DIR', 'QRUN_HOST_DIR'];
  const script = home.startProgram(['env', ...places.flatMap((place) => ['-u', place]), '/bin/sh', own]);
  const rowOf = async () => (await ps(home)).find(({ vm, state }) => vm === name && state === 'paused');
  await eventually(async () => (await rowOf()) !== undefined || script.child.exitCode !== null);
  const row = await rowOf();
  if (row === undefined) throw new Error(`${name} did not start\n${script.stdout}\n${script.stderr}`);
  return { script, pid: row.pid };
}

async function quit({ script, pid }: Started): Promise<void> {
  process.kill(pid, 'SIGTERM');
  expect(await script.end).toMatchObject({ status: 0 });
}

const vmsOn = async (home: Home): Promise<string[]> => (await infoOf(home, 'lab')).members.map(({ vm }) => vm);

describe('a network that a script takes up', () => {
  test('is as one that qrun took up, to ps, net and gc, and is gone when the script ends', async (context) => {
    needsQemu(context);
    const home = createNetworkHome(`${hub}forwards: ["auto:web1:80"]\n`);
    const shown = parseDocument('show', (await home.qrun(['show', 'web1', '--json'])).stdout) as {
      qemu: { argv: string[] };
    };
    const started = await startScript(home, 'web1');
    const argv = readFileSync(`/proc/${started.pid}/cmdline`, 'utf8').split('\0').slice(1, -1);
    expect(argv).toEqual(shown.qemu.argv);
    const [, port] = await started.script.waitFor(
      /^port (\d+) of 127\.0\.0\.1 is port 80\/tcp of web1 on network lab$/m,
    );
    const info = await infoOf(home, 'lab');
    expect(info).toMatchObject({ state: 'up', missing: [], forwards: [{ hostPort: Number(port) }] });
    expect(info.members.map(({ vm }) => vm)).toEqual(['web1']);
    expect((await home.qrun(['net', 'forward', 'lab', 'auto:web1:22'])).status).toBe(0);
    expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    expect(await home.qrun(['net', 'down', 'lab'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('web1'),
    });
    await quit(started);
    expect(await lastingOfNetworks(home)).toEqual([]);
    expect(leftOf(home, 'web1')).toEqual([]);
  });

  test('is joined by a run of qrun and by another script, and ends with the last of them', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    home.profile('web3', onLab);
    const first = await startScript(home, 'web1');
    const programs = networkProcesses(home).map(({ pid }) => pid);
    await detach(home, 'web2');
    const third = await startScript(home, 'web3');
    const { members } = await infoOf(home, 'lab');
    expect(members.map(({ vm }) => vm)).toEqual(['web1', 'web2', 'web3']);
    expect(new Set(members.map(({ ip }) => ip)).size).toBe(3);
    await quit(first);
    expect((await home.qrun(['kill', 'web2'])).status).toBe(0);
    expect(await vmsOn(home)).toEqual(['web3']);
    expect(networkProcesses(home).map(({ pid }) => pid)).toEqual(programs);
    await quit(third);
    expect(await lastingOfNetworks(home)).toEqual([]);
  });

  test("is mended by a qrun's VM that joins it", async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const started = await startScript(home, 'web1');
    await killAll(networkProcesses(home).map(({ pid }) => pid));
    const { status, stderr } = await home.qrun(['run', 'web2', '-d']);
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining('started again') });
    expect(await infoOf(home, 'lab')).toMatchObject({ state: 'up', missing: [] });
    await home.qrun(['kill', 'web2']);
    await quit(started);
    expect(await lastingOfNetworks(home)).toEqual([]);
  });
});

describe('a network that qrun has up', () => {
  test('is joined by a script, and outlives the VM that took it up', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const file = await writeScript(home, 'web1');
    await detach(home, 'web2');
    const programs = networkProcesses(home).map(({ pid }) => pid);
    const started = await startScript(home, 'web1', file);
    expect(await vmsOn(home)).toEqual(['web1', 'web2']);
    expect((await home.qrun(['kill', 'web2'])).status).toBe(0);
    expect(await vmsOn(home)).toEqual(['web1']);
    expect(networkProcesses(home).map(({ pid }) => pid)).toEqual(programs);
    await quit(started);
    // its own watcher's
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('and pinned, stays; so does a script that was made of it when it is down', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(0);
    const file = await writeScript(home, 'web1');
    await quit(await startScript(home, 'web1', file));
    expect(await infoOf(home, 'lab')).toMatchObject({ state: 'pinned', missing: [], members: [] });
    expect((await home.qrun(['net', 'down', 'lab'])).status).toBe(0);
    expect(await lastingOfNetworks(home)).toEqual([]);
    await quit(await startScript(home, 'web1', file));
    expect(await lastingOfNetworks(home)).toEqual([]);
  });
});

describe('addresses', () => {
  test('are reserved by show --shell, and by show alone they are not', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const book = path.join(home.state, 'networks/lab/addresses.json');
    expect((await home.qrun(['show', 'web1'])).status).toBe(0);
    expect(existsSync(book)).toBe(false);
    const files = [await writeScript(home, 'web1'), await writeScript(home, 'web2')];
    const [one, two] = files.map((file) => /"ip":"([0-9.]+)"/.exec(readFileSync(file, 'utf8'))?.[1]);
    expect(one).not.toBe(two);
    expect(JSON.parse(readFileSync(book, 'utf8'))).toMatchObject({
      addresses: { web1: { ip: one }, web2: { ip: two } },
    });
    await detach(home, 'web2');
    expect((await infoOf(home, 'lab')).members).toMatchObject([{ vm: 'web2', ip: two }]);
    await home.qrun(['kill', 'web2']);
  });

  test('of a MAC that the definition names are what show and the script say', async (context) => {
    needsQemu(context);
    const bytes = [process.pid >> 8, process.pid].map((byte) => (byte & 255).toString(16).padStart(2, '0'));
    const mac = `52:54:00:44:${bytes.join(':')}`; // of this run's own
    const home = createNetworkHome(`${hub}dhcp: { hosts: [{ mac: "${mac}", ip: 10.44.0.9 }] }\n`);
    home.profile('web1', onLab.replace('"network:lab"', `{ kind: network, network: lab, mac: "${mac}" }`));
    expect((await home.qrun(['show', 'web1'])).stdout).toContain('"ip":"10.44.0.9"');
    const started = await startScript(home, 'web1');
    expect((await infoOf(home, 'lab')).members).toMatchObject([{ vm: 'web1', ip: '10.44.0.9' }]);
    await quit(started);
  });
});

describe('kill -9', () => {
  test('of the script, then of QEMU: the watcher ends the network, and gc the rest', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const { script, pid } = await startScript(home, 'web1');
    script.kill('SIGKILL');
    await script.end;
    expect(await vmsOn(home)).toEqual(['web1']);
    process.kill(pid, 'SIGKILL');
    expect(await waitUntil(() => networkProcesses(home).length === 0, 30_000)).toBe(true);
    expect((await home.qrun(['gc'])).status).toBe(0);
    expect(await lastingOfNetworks(home)).toEqual([]);
  });

  test.each(['script', 'run', 'gc'] as const)('of everything but a keeper: the next %s tidies it', async (next) => {
    const home = createNetworkHome();
    const file = await writeScript(home, 'web1');
    const { script, pid } = await startScript(home, 'web1', file);
    script.kill('SIGKILL');
    await script.end;
    for (const { pid: one, watcher } of networkProcesses(home)) if (watcher) process.kill(one, 'SIGKILL');
    process.kill(pid, 'SIGKILL');
    await waitUntil(() => !isAlive(pid), 30_000);
    expect(networkProcesses(home).length).toBeGreaterThan(0);
    if (next === 'script') await quit(await startScript(home, 'web1', file));
    if (next === 'run') {
      await detach(home, 'web1');
      await home.qrun(['kill', 'web1']);
    }
    if (next === 'gc') expect((await home.qrun(['gc'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });
});
