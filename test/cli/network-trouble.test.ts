/** Networks in trouble: somebody sits on the lock, sockets vanish, state is garbage, the unplugged live on. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createHome, isAlive, needsQemu, waitUntil, type Home } from '../harness/harness.ts';
import { createNetworkHome, hub, infoOf, leftOfNetworks, networkProcesses, noNetworkLeft, onLab } from './a-network.ts';
import { detach, statusOf, still } from './a-vm.ts';

const kill = async (pid: number): Promise<void> => {
  process.kill(pid, 'SIGKILL');
  await waitUntil(() => !isAlive(pid), 30_000);
};

function flocksOf(home: Home): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const argv = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        return argv[0] === 'flock' && argv[2] === path.join(home.state, 'locks/users.lab');
      } catch {
        return false;
      }
    })
    .map(Number);
}

test('gc removes the directory of all networks’ sockets, where whoever ended the last one was killed before; not with one in it', async () => {
  const home = createHome();
  const directory = path.join(home.runtime, '_net');
  mkdirSync(path.join(directory, 'lab'), { recursive: true, mode: 0o700 });
  for (const there of [true, false]) {
    expect(await home.qrun(['gc'])).toMatchObject({ status: 0 });
    expect(existsSync(directory)).toBe(there);
    rmSync(path.join(directory, 'lab'), { recursive: true, force: true });
  }
});

describe('the watch', () => {
  test('goes on when its flock is killed', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const { pid } = await detach(home, 'web1');
    for (const one of flocksOf(home)) await kill(one);
    expect(await waitUntil(() => flocksOf(home).length === 1, 30_000)).toBe(true);
    await kill(Number(statusOf(pid, 'PPid'))); // the waiter cannot do it
    await kill(pid);
    expect(await waitUntil(() => networkProcesses(home).length === 0, 30_000)).toBe(true);
    await home.qrun(['gc']);
  });

  test('is missed when it is gone, and comes back', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await detach(home, 'web1');
    for (const { pid, watcher } of networkProcesses(home)) if (watcher) await kill(pid);
    expect(await infoOf(home, 'lab')).toMatchObject({ state: 'broken', missing: ['watcher'] });
    await detach(home, 'web2');
    expect(await infoOf(home, 'lab')).toMatchObject({ state: 'up', missing: [] });
    await home.qrun(['kill', 'web1', 'web2']);
    expect(await noNetworkLeft(home)).toBe(true);
  });
});

describe('the lock of a network', () => {
  test('gc does not wait for who has it', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await home.qrun(['net', 'up', 'lab']);
    const lock = path.join(home.state, 'locks/net.lab');
    const holder = home.startProgram(['flock', '-x', '-F', lock, 'sh', '-c', 'echo has it; exec sleep 100']);
    await holder.waitFor(/has it/);
    expect(await home.qrun(['gc', '--json'], { timeoutMs: 25_000 })).toMatchObject({ status: 0, stdout: '[]\n' });
    holder.kill('SIGKILL');
    await holder.end;
    await home.qrun(['net', 'down', 'lab']);
  });
});

describe('net down --force', () => {
  test('those that it unplugged are not counted on what comes after', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    const { pid } = await detach(home, 'web1');
    expect((await home.qrun(['net', 'down', 'lab', '--force'])).status).toBe(0);
    await detach(home, 'web2');
    await home.qrun(['kill', 'web2']);
    expect(await waitUntil(() => networkProcesses(home).length === 0, 30_000)).toBe(true);
    expect(isAlive(pid)).toBe(true);
    await home.qrun(['kill', 'web1']);
    expect(await noNetworkLeft(home)).toBe(true);
  });
});

describe('names with dots in them', () => {
  const withNic = (id: string): string => `${still}nics: [{ kind: network, network: lab, id: ${id} }]\n`;
  const members = async (home: Home): Promise<string[]> => {
    const { stdout } = await home.qrun(['net', 'info', 'lab', '--json']);
    const read = JSON.parse(stdout) as { members: { vm: string; nic: string }[] };
    return read.members.map(({ vm, nic }) => `${vm} ${nic}`).toSorted();
  };
  const nicOf = async (home: Home, vm: string): Promise<unknown> =>
    (JSON.parse((await home.qrun(['nics', vm, '--json'])).stdout) as unknown[])[0];
  const memberFiles = (home: Home): string[] => readdirSync(path.join(home.state, 'networks/lab/members')).toSorted();

  test('two VMs have a place each, and each gives back its own', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    home.profile('a', withNic('b.c'));
    home.profile('a.b', withNic('c'));
    await detach(home, 'a');
    await detach(home, 'a.b');
    expect(await members(home)).toEqual(['a b.c', 'a.b c']);
    for (const vm of ['a', 'a.b']) expect(await nicOf(home, vm)).not.toHaveProperty('link');
    await home.qrun(['kill', 'a']);
    expect(await members(home)).toEqual(['a.b c']);
    expect(await nicOf(home, 'a.b')).not.toHaveProperty('link');
    await home.qrun(['kill', 'a.b']);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('a place that an older qrun wrote down is given back, and nobody else has it', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    home.profile('a', withNic('b.c'));
    home.profile('a.b', withNic('c'));
    await detach(home, 'a');
    const directory = path.join(home.state, 'networks/lab/members');
    const [now = ''] = memberFiles(home);
    const older = path.join(directory, 'a.b.c.json');
    renameSync(path.join(directory, now), older);
    await detach(home, 'a.b');
    expect(await members(home)).toEqual(['a b.c', 'a.b c']);
    await home.qrun(['kill', 'a.b']);
    expect(await members(home)).toEqual(['a b.c']);
    await detach(home, 'a.b');
    await home.qrun(['kill', 'a']);
    expect(await members(home)).toEqual(['a.b c']);
    expect(existsSync(older)).toBe(false);
    await home.qrun(['kill', 'a.b']);
    expect(await noNetworkLeft(home)).toBe(true);
  });
});

describe('sockets that went away with a session', () => {
  test('are missed, and made again by net up; nothing is left at the end', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await detach(home, 'web1');
    for (const name of readdirSync(home.runtime)) rmSync(path.join(home.runtime, name), { recursive: true });
    expect(await infoOf(home, 'lab')).toMatchObject({
      state: 'broken',
      missing: expect.arrayContaining([path.join(home.runtime, '_net/lab'), 'gateway']),
    });
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(0);
    expect(await infoOf(home, 'lab')).toMatchObject({ state: 'pinned', missing: [] });
    await detach(home, 'web2');
    await home.qrun(['kill', 'web1', 'web2']);
    expect((await home.qrun(['net', 'down', 'lab'])).status).toBe(0);
    expect(await noNetworkLeft(home)).toBe(true);
  });
});

describe('garbage in the state of a network', () => {
  test("a newer qrun's record keeps nobody from being told of the rest", async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    home.network('other', hub.replace('10.44', '10.45'));
    home.profile('web3', onLab.replace('network:lab', 'network:other'));
    await detach(home, 'web1');
    await detach(home, 'web3');
    const record = path.join(home.state, 'networks/lab/network.json');
    const before = readFileSync(record, 'utf8');
    writeFileSync(record, '{"v":99}');
    for (const words of [['ps'], ['nics', 'web1'], ['net', 'ls'], ['net', 'info', 'other']])
      expect({ words, status: (await home.qrun(words)).status }).toEqual({ words, status: 0 });
    expect((await home.qrun(['net', 'up', 'lab'])).status).toBe(3);
    expect(readFileSync(record, 'utf8')).toBe('{"v":99}');
    writeFileSync(record, before);
    await home.qrun(['kill', 'web1', 'web3']);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test('members that are none are passed over', async (context) => {
    needsQemu(context);
    const home = createNetworkHome();
    await detach(home, 'web1');
    const members = path.join(home.state, 'networks/lab/members');
    for (const [name, text] of Object.entries({
      'a.json': '{"v":1}',
      'b.json': '{"v":1,"vm":"\\u001b[31mred","nic":"net0","mac":"52:54:00:00:00:01"}',
      'c.json': '{"v":1,"vm":"../../x","nic":"net0","mac":"52:54:00:00:00:01"}',
      'd.json': 'garbage',
    }))
      writeFileSync(path.join(members, name), text);
    expect((await home.qrun(['net', 'info', 'lab'])).status).toBe(0);
    const { status, stderr } = await home.qrun(['net', 'down', 'lab']);
    expect(status).toBe(4);
    expect(stderr).toContain('qrun stop web1, or');
    expect((await home.qrun(['net', 'down', 'lab', '--force'])).status).toBe(0);
    await home.qrun(['kill', 'web1']);
    expect(await noNetworkLeft(home)).toBe(true);
  });

  test.for(['journal', 'log'])('a FIFO or a directory in the place of its %s', async (name, context) => {
    needsQemu(context);
    for (const make of ['mkfifo', 'mkdir']) {
      const home = createNetworkHome();
      home.mkdir('s/networks');
      home.mkdir('s/networks/lab');
      const file = path.join(home.state, 'networks/lab', name);
      await home.run([make, file]);
      const { status, stderr } = await home.qrun(['web1', '-d'], { timeoutMs: 50_000 });
      expect({ make, status, stderr }).toMatchObject({ status: 3, stderr: expect.stringContaining(file) });
      expect((await home.qrun(['gc'], { timeoutMs: 50_000 })).status).toBeLessThan(70);
      expect(networkProcesses(home)).toEqual([]);
      expect(leftOfNetworks(home).filter((one) => one !== name)).toEqual([]);
    }
  });
});
