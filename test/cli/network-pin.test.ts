/** `net up` and `net down`: a network that stays, what mends it, and what becomes of VMs on one that goes. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createHome, isAlive, needsQemu, waitUntil, type Home } from '../harness/harness.ts';
import { createNetworkHome, hub, killAll, networkProcesses, noNetworkLeft, onLab, stateOf } from './a-network.ts';
import { detach } from './a-vm.ts';

const pidsOf = (home: Home): number[] => networkProcesses(home).map(({ pid }) => pid);

describe('a pinned network', () => {
  test('stays when VMs come and go, until it is taken down', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    expect(await stateOf(home)).toBe('defined');
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(0);
    expect(await stateOf(home)).toBe('pinned');
    const pids = pidsOf(home);
    await detach(home, 'web1');
    await home.qrun(['kill', 'web1']);
    expect(await stateOf(home)).toBe('pinned');
    expect(pidsOf(home)).toEqual(pids);
    expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(0);
    expect(pidsOf(home)).toEqual(pids);
    expect((await home.qrun(['net', 'down', 'lab'])).status).toBe(0);
    expect(await stateOf(home)).toBe('defined');
    expect(await noNetworkLeft(home)).toBe(true);
    expect((await home.qrun(['net', 'down', 'lab'])).status).toBe(0);
  });

  test('may have been up for a VM before: it stays when that VM ends', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await detach(home, 'web1');
    expect(await stateOf(home)).toBe('up');
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(0);
    await home.qrun(['kill', 'web1']);
    await waitUntil(() => networkProcesses(home).every(({ watcher }) => !watcher), 30_000);
    expect(await stateOf(home)).toBe('pinned');
    expect((await home.qrun(['net', 'down', 'lab'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('two ups at once are one', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const ups = await Promise.all([1, 2, 3].map(() => home.qrun(['net', 'up', 'lab'])));
    expect(ups.map(({ status }) => status)).toEqual([0, 0, 0]);
    expect(networkProcesses(home).filter(({ keeper }) => !keeper)).toHaveLength(2);
    expect((await home.qrun(['net', 'down', 'lab'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('is broken when its programs are gone for good, and mended by net up', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await home.qrun(['net', 'up', 'lab']);
    await killAll(pidsOf(home));
    expect(await stateOf(home)).toBe('broken');
    expect((await home.qrun(['net', 'info', 'lab'])).stdout).toContain('qrun net up lab');
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(0);
    expect(await stateOf(home)).toBe('pinned');
    await home.qrun(['net', 'down', 'lab']);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('ABUSE 49: of an earlier boot it is not up, and comes up again', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await home.qrun(['net', 'up', 'lab']);
    await killAll(pidsOf(home));
    for (const name of ['network.json', 'journal']) {
      const file = path.join(home.state, 'networks/lab', name);
      writeFileSync(file, readFileSync(file, 'utf8').replace(/"bootId":"[^"]*"/, '"bootId":"another"'));
    }
    expect(await stateOf(home)).toBe('defined');
    await detach(home, 'web1');
    expect(await stateOf(home)).toBe('up');
    await home.qrun(['kill', 'web1']);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('a definition that is not kept is run by its path', async (context) => {
    needsQemu(context);
    const home = createHome();
    const file = home.write('other.yaml', hub);
    home.profile('web1', onLab.replace('network:lab', 'network:other'));
    expect((await home.qrun(['net', 'up', file])).status).toBe(0);
    expect(await stateOf(home, 'other')).toBe('pinned');
    await detach(home, 'web1');
    await home.qrun(['kill', 'web1']);
    expect((await home.qrun(['net', 'down', 'other'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });
});

describe('net down with a VM on it', () => {
  test('is refused, and with --force the VM is unplugged and lives', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const { pid } = await detach(home, 'web1');
    expect(await home.qrun(['net', 'down', 'lab'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining('web1 is on it'),
    });
    expect((await home.qrun(['net', 'down', 'lab', '--force'])).status).toBe(0);
    expect(isAlive(pid)).toBe(true);
    expect(networkProcesses(home)).toEqual([]);
    expect(await home.qrun(['ps'])).toMatchObject({
      stdout: expect.stringContaining('net0:network (lost)'),
      stderr: 'web1: net0: it has lost the network lab\nto have that back: qrun stop web1; then start it again\n',
    });
    expect((await home.qrun(['nics', 'web1'])).stdout).toMatch(/^net0 +network \(lost\) /m);
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });
});

describe('what is in the way', () => {
  test('a forward whose port is taken: exit 4, nothing is left', async (context) => {
    needsQemu(context);
    const one = createNetworkHome(`${hub}forwards: ["auto:web1:80"]\n`);
    await one.qrun(['net', 'up', 'lab']);
    const { forwards } = JSON.parse((await one.qrun(['net', 'info', 'lab', '--json'])).stdout) as {
      forwards: { hostPort: number }[];
    };
    const port = forwards[0]?.hostPort ?? 0;
    const other = createNetworkHome(`${hub}forwards: ["${port}:web1:80"]\n`);
    expect(await other.qrun(['net', 'up', 'lab'])).toMatchObject({
      status: 4,
      stderr: expect.stringContaining(String(port)),
    });
    expect(await noNetworkLeft(other)).toBe(true);
    expect(await other.qrun(['web1', '-d'])).toMatchObject({ status: 4 });
    expect(await noNetworkLeft(other)).toBe(true);
    await one.qrun(['net', 'down', 'lab']);
  });

  test('a network that nobody defined: exit 2', async (context) => {
    needsQemu(context);
    const home = createHome();
    home.profile('web1', onLab);
    expect(await home.qrun(['web1', '-d'])).toMatchObject({ status: 2, stderr: expect.stringContaining('lab') });
  });

  test('ABUSE 42: a link in the place of its lock', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await home.qrun(['ls']);
    home.mkdir('s/locks');
    const victim = home.write('victim', 'precious');
    await home.run(['ln', '-s', victim, path.join(home.state, 'locks/users.lab')]);
    expect((await home.qrun(['web1', '-d'])).status).toBe(3);
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(await noNetworkLeft(home)).toBe(true);
  });
});
