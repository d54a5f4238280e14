/** A network's life: from the first VM to the last, pinned, killed at every step, and never a thing left behind. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createHome, isAlive, needsQemu, waitUntil, type Home } from '../harness/harness.ts';
import {
  createNetworkHome,
  hub,
  killAll,
  lastingOfNetworks,
  networkProcesses,
  noNetworkLeft,
  onLab,
} from './a-network.ts';
import { sideBySide } from './side-by-side.ts';
import { detach, rowOf, statusOf, still } from './a-vm.ts';

const programs = (home: Home): string[] =>
  networkProcesses(home)
    .filter(({ keeper, watcher }) => !keeper && !watcher)
    .map(({ program }) => program)
    .toSorted();

const waiterOf = (pid: number): number => Number(statusOf(pid, 'PPid'));

describe('a network', () => {
  test('is up from the first VM to the last', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await detach(home, 'web1');
    expect(programs(home)).toEqual(['gateway', 'switch']);
    await detach(home, 'web2');
    expect(programs(home)).toEqual(['gateway', 'switch']);
    expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    expect(programs(home)).toEqual(['gateway', 'switch']);
    expect((await home.qrun(['kill', 'web2'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('keeps each VM its address, whoever comes first', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const memberIp = (vm: string): string =>
      (
        JSON.parse(readFileSync(path.join(home.state, `networks/lab/members/${vm}.net0.json`), 'utf8')) as {
          ip: string;
        }
      ).ip;
    await detach(home, 'web1');
    await detach(home, 'web2');
    const before = [memberIp('web1'), memberIp('web2')];
    expect(new Set(before).size).toBe(2);
    await home.qrun(['kill', 'web1', 'web2']);
    expect(await noNetworkLeft(home)).toBe(true);
    await detach(home, 'web2');
    await detach(home, 'web1');
    expect([memberIp('web1'), memberIp('web2')]).toEqual(before);
    await home.qrun(['kill', 'web1', 'web2']);
  });

  test('QEMU holds it up by a descriptor, and the waiter does not', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const { pid } = await detach(home, 'web1');
    const users = path.join(home.state, 'locks/users.lab');
    const holders = async (one: number): Promise<string> =>
      (await home.run(['sh', '-c', `ls -l /proc/${one}/fd`])).stdout;
    expect(await holders(pid)).toContain(users);
    expect(await holders(waiterOf(pid))).not.toContain(users);
    await home.qrun(['kill', 'web1']);
  });

  test('many at once take it up once', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    for (let number = 1; number <= 8; number += 1) home.profile(`vm${number}`, onLab);
    const names = Array.from({ length: 8 }, (_, index) => `vm${index + 1}`);
    const starts = await Promise.all(names.map((name) => home.qrun(['run', name, '-d'])));
    expect(starts.map(({ status }) => status)).toEqual(names.map(() => 0));
    expect(programs(home)).toEqual(['gateway', 'switch']);
    const ips = names.map(
      (name) =>
        (
          JSON.parse(readFileSync(path.join(home.state, `networks/lab/members/${name}.net0.json`), 'utf8')) as {
            ip: string;
          }
        ).ip,
    );
    expect(new Set(ips).size).toBe(8);
    await home.qrun(['kill', ...names]);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('a VM with four networks has more descriptors than dash can close', async (context) => {
    needsQemu(context);
    const home = createHome();
    const names = ['n1', 'n2', 'n3', 'n4'];
    names.forEach((name, index) => home.network(name, hub.replace('10.44.0.1', `10.44.${index + 1}.1`)));
    home.profile('web1', onLab.replace('["network:lab"]', JSON.stringify(names.map((name) => `network:${name}`))));
    const { pid } = await detach(home, 'web1');
    const fds = async (one: number): Promise<string> => (await home.run(['sh', '-c', `ls -l /proc/${one}/fd`])).stdout;
    for (const name of names) {
      expect(await fds(pid)).toContain(`locks/users.${name}`);
      expect(await fds(waiterOf(pid))).not.toContain(`locks/users.${name}`);
    }
    await home.qrun(['kill', 'web1']);
    expect(await noNetworkLeft(home)).toBe(true);
  });
});

describe('kill -9 in any order', () => {
  test('of the switch and of the gateway: both are back, and the VM stays', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const { pid } = await detach(home, 'web1');
    for (const program of ['switch', 'gateway']) {
      const victim = networkProcesses(home).find((one) => one.program === program && !one.keeper);
      await killAll([victim?.pid ?? 0]);
      const isBack = () => networkProcesses(home).some((one) => one.program === program && !one.keeper);
      expect(await waitUntil(isBack, 30_000)).toBe(true);
    }
    expect(isAlive(pid)).toBe(true);
    await home.qrun(['kill', 'web1']);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('of QEMU: the network ends with the last VM', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await killAll([(await detach(home, 'web1')).pid]);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('of the waiter, then QEMU: the watcher ends it all the same', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const { pid } = await detach(home, 'web1');
    await killAll([waiterOf(pid)]);
    await killAll([pid]);
    expect(await waitUntil(() => networkProcesses(home).length === 0, 30_000)).toBe(true);
    expect((await home.qrun(['gc'])).status).toBe(0);
    expect(await lastingOfNetworks(home)).toEqual([]);
  });

  test('of the watcher and the keepers, then QEMU: the waiter ends it', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const { pid } = await detach(home, 'web1');
    await killAll(networkProcesses(home).flatMap((one) => (one.keeper || one.watcher ? [one.pid] : [])));
    expect(programs(home)).toEqual(['gateway', 'switch']);
    await killAll([pid]);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('of everything but QEMU: the next VM mends it', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await detach(home, 'web1');
    await killAll(networkProcesses(home).map(({ pid }) => pid));
    expect(programs(home)).toEqual([]);
    const { status, stderr } = await home.qrun(['run', 'web2', '-d']);
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining('started again') });
    expect(programs(home)).toEqual(['gateway', 'switch']);
    await home.qrun(['kill', 'web1', 'web2']);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('of everything with QEMU and the waiter: gc, twice', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const { pid } = await detach(home, 'web1');
    await killAll([waiterOf(pid), ...networkProcesses(home).map((one) => one.pid), pid]);
    expect((await home.qrun(['gc'])).status).toBe(0);
    expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
    expect(await lastingOfNetworks(home)).toEqual([]);
    await detach(home, 'web1');
    await home.qrun(['kill', 'web1']);
  });
});

describe('ABUSE 64, 51: at each step of a start that takes a network up', () => {
  /** Those that a start without a network does not have: crash.test.ts has the others. */
  async function failpoints(): Promise<string[]> {
    const plain = createHome();
    plain.profile('web1', still);
    const without = await failpointsOf(plain);
    return (await failpointsOf(createNetworkHome())).filter((name) => !without.includes(name));
  }

  async function failpointsOf(home: Home): Promise<string[]> {
    const list = path.join(home.dir, 'failpoints');
    await home.qrun(['web1', '-d'], { env: { QRUN_FAILPOINT_LIST: list } });
    await home.qrun(['kill', 'web1']);
    expect(await noNetworkLeft(home)).toBe(true);
    return [...new Set(readFileSync(list, 'utf8').trim().split('\n'))];
  }

  async function eachFailpoint(how: 'kill' | 'throw', check: (home: Home, status: number) => Promise<void>) {
    const names = await failpoints();
    expect(names.length).toBeGreaterThan(10);
    await sideBySide(names, async (name) => {
      const home = createNetworkHome();
      const { status } = await home.qrun(['web1', '-d'], { env: { QRUN_FAILPOINT: `${name}:${how}` } });
      await check(home, status).catch((error: unknown) => {
        throw new Error(`failpoint ${name}:${how}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      });
      await home.dispose();
    });
  }

  test('killed there, gc twice leaves nothing and the next start works', { timeout: 300_000 }, async (context) => {
    needsQemu(context);
    await eachFailpoint('kill', async (home) => {
      await home.qrun(['kill', 'web1']);
      expect((await home.qrun(['gc'])).status).toBe(0);
      expect(await noNetworkLeft(home)).toBe(true);
      expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
      await detach(home, 'web1');
      expect((await rowOf(home, 'web1')).state).toBe('paused');
      await home.qrun(['kill', 'web1']);
      expect(await noNetworkLeft(home)).toBe(true);
    });
  });

  test('an end that could not end the programs is finished by the next one, directories and all', async (context) => {
    needsQemu(context);
    // whether the waiter, the watcher or `kill` comes first is a matter of luck
    await sideBySide(['1', '2', '3', '4'], async () => {
      const home = createNetworkHome();
      const env = { QRUN_FAILPOINT: 'release:service:throw' };
      expect((await home.qrun(['web1', '-d'], { env })).status).toBe(0);
      await home.qrun(['kill', 'web1']);
      expect(await lastingOfNetworks(home)).toEqual([]);
      await home.dispose();
    });
  });

  test('an error there is undone at once', { timeout: 300_000 }, async (context) => {
    needsQemu(context);
    await eachFailpoint('throw', async (home, status) => {
      if (status === 0) await home.qrun(['kill', 'web1']);
      expect(await noNetworkLeft(home)).toBe(true);
      expect(existsSync(path.join(home.state, 'networks/lab/journal'))).toBe(false);
    });
  });
});
