/** Names of interfaces that differ from run to run, and interfaces that no journal knows any more: what gc takes, tells, and leaves alone. */
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import {
  createHome,
  needsQemu,
  ownerFor,
  readProcessesNaming,
  testFacts,
  waitUntil,
  type Home,
} from '../harness/harness.ts';
import { detach, eventually, nothingLeft, ps, rowOf, still } from '../cli/a-vm.ts';
import { createLinkHost, type LinkHost } from './a-link-host.ts';

const both = `${still}nics: [{ kind: tap, bridge: br0 }, macvtap:v0]\n`;

async function namesShown(home: Home): Promise<string[]> {
  const { stdout } = await home.qrun(['show', 'web1', '--json']);
  const { nics } = JSON.parse(stdout) as { nics: { hostInterface: string }[] };
  return nics.map(({ hostInterface }) => hostInterface).toSorted();
}

const rootHome = (host: LinkHost): Home => {
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', both);
  return home;
};

interface Row {
  readonly link?: string;
  readonly what: string;
  readonly state: string;
  readonly why?: string;
}

async function gc(home: Home, ...more: string[]): Promise<{ status: number; rows: Row[] }> {
  const { status, stdout } = await home.qrun(['gc', '--json', ...more]);
  return { status, rows: JSON.parse(stdout) as Row[] };
}

/** All that qrun has ever known of its VMs. */
function forget(home: Home): void {
  for (const name of readdirSync(home.state)) rmSync(path.join(home.state, name), { recursive: true });
}

const crash = async (home: Home, at: string): Promise<void> => {
  await home.qrun(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: `${at}:kill` } });
};

test('what show says the next run has; each run has names of its own, however the one before it ended', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = rootHome(host);
  // many who look at once see the same
  const looks = await Promise.all(Array.from({ length: 4 }, () => namesShown(home)));
  expect(new Set(looks.map(String)).size).toBe(1);
  const seen: string[] = [];
  for (const end of ['kill', 'crash'] as const) {
    const shown = await namesShown(home);
    expect(seen).not.toEqual(expect.arrayContaining([shown[0]]));
    expect(seen).not.toEqual(expect.arrayContaining([shown[1]]));
    if (end === 'crash') {
      await crash(home, 'acquired:macvtap:net1');
      expect(host.made().toSorted()).toEqual(shown);
      expect((await gc(home)).status).toBe(0);
    } else {
      const row = await detach(home, 'web1');
      const nics = row.nics as unknown as { hostInterface: string }[];
      expect(nics.map(({ hostInterface }) => hostInterface).toSorted()).toEqual(shown);
      expect(host.made().toSorted()).toEqual(shown);
      // while it runs, show tells of the one after it, and ps and nics of this one
      expect(await namesShown(home)).not.toEqual(shown);
      expect((await home.qrun(['nics', 'web1'])).stdout).toContain(shown[0]);
      expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
    }
    expect(host.made()).toEqual([]);
    seen.push(...shown);
  }
  expect(new Set(seen).size).toBe(4);
});

test('VMs of one name of two state directories, and two starts of one VM at once: no name meets another', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const [one, other] = [rootHome(host), rootHome(host)];
  const starts = await Promise.all([one, one, other].map((home) => home.qrun(['run', 'web1', '-d'])));
  expect(starts.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([0, 0, 4]);
  expect(host.made()).toHaveLength(4);
  for (const home of [one, other]) expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(host.made()).toEqual([]);
});

test('a script has the names that were shown, and the next run has others', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = rootHome(host);
  const shown = await namesShown(home);
  const script = home.write('web1.sh', (await home.qrun(['show', 'web1', '--shell'])).stdout);
  const running = home.startProgram(['/bin/sh', script]);
  expect(await waitUntil(() => host.made().length === 2, 30_000)).toBe(true);
  expect(host.made().toSorted()).toEqual(shown);
  expect(await namesShown(home)).not.toEqual(shown);
  await eventually(async () => (await ps(home))[0]?.state === 'paused');
  // of a script too: it has the lock of its VM open
  expect((await gc(rootHome(host))).rows).toEqual([]);
  running.kill('SIGTERM');
  await running.end;
  expect(await waitUntil(() => host.made().length === 0, 30_000)).toBe(true);
});

test('its state directory is gone: gc of root’s removes what is proven dead, and nothing that only looks like it', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = rootHome(host);
  const foreign = [
    'ip link add qr-000000000001 type bridge',
    'ip tuntap add dev qr-000000000002 mode tap',
    'ip link set dev qr-000000000002 alias mine',
    'ip tuntap add dev qr-web mode tap',
    'ip link set dev qr-web alias qrun:web1/net0:tap:0123456789abcdef',
    'ip link add qr-000000000003 type bridge',
    'ip link set dev qr-000000000003 alias qrun:web1/net0:tap:0123456789abcdef',
  ];
  for (const line of foreign) host.must(line);
  const before = host.state();
  const theirs = host.made();
  await crash(home, 'spawn');
  const lost = host.made().filter((name) => !theirs.includes(name));
  expect(lost).toHaveLength(2);
  forget(home);
  const would = await gc(home, '--dry-run');
  expect(would.rows.map(({ link, state }) => `${link} ${state}`).toSorted()).toEqual(
    lost.map((name) => `${name} would-remove`).toSorted(),
  );
  // a user is told nothing of what is root's
  expect((await gc(createHome({ namespace: host.namespace }))).rows).toEqual([]);
  // somebody who names it may need it
  const named = home.startProgram(['sh', '-c', 'read line', lost[0] ?? '']);
  const left = await gc(home, '--dry-run');
  expect(left.rows.find(({ link }) => link === lost[0])).toMatchObject({
    state: 'left',
    why: expect.stringContaining(`sudo ip link delete dev ${lost[0]}`),
  });
  named.kill('SIGKILL');
  await named.end;
  expect(await gc(home)).toMatchObject({
    status: 0,
    rows: expect.arrayContaining([
      { link: expect.any(String), what: 'web1/net0', state: 'removed' },
      { link: expect.any(String), what: 'web1/net1', state: 'removed' },
    ]),
  });
  expect(await gc(home)).toEqual({ status: 0, rows: [] });
  expect(host.state()).toEqual(before);
});

test('one that lives is not taken: of another state directory, being made, of one whose state was deleted', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const before = host.state();
  const [one, other] = [rootHome(host), rootHome(host)];
  // being made, and opened by nobody yet
  const start = other.start(['run', 'web1', '-d'], { env: { QRUN_FAILPOINT: 'acquired:macvtap:net1:hang' } });
  expect(await waitUntil(() => host.made().length === 2, 30_000)).toBe(true);
  expect(await gc(one)).toEqual({ status: 0, rows: [] });
  forget(other);
  expect(await gc(one)).toEqual({ status: 0, rows: [] });
  expect(host.made()).toHaveLength(2);
  start.kill('SIGKILL');
  await start.end;
  expect((await gc(one)).rows.map(({ state }) => state)).toEqual(['removed', 'removed']);
  expect(host.state()).toEqual(before);
  // running, and its state deleted under it
  await detach(other, 'web1');
  const { pid } = await rowOf(other, 'web1');
  expect(await gc(one)).toEqual({ status: 0, rows: [] });
  forget(other);
  expect(await gc(other)).toEqual({ status: 0, rows: [] });
  expect(host.made()).toHaveLength(2);
  process.kill(pid, 'SIGKILL');
  // its waiter finds no journal to give back
  expect(await waitUntil(() => readProcessesNaming(other.dir).length === 0, 30_000)).toBe(true);
  expect((await gc(one)).rows.map(({ state }) => state)).toEqual(['removed', 'removed']);
  expect(host.state()).toEqual(before);
  expect(await nothingLeft(one, 'web1')).toBe(true);
});

test('a start that sees not every process takes nothing for dead: in a container of the host’s network, beside a VM that runs', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.profile('web1', `${still}nics: [macvtap:v0]\n`);
  await detach(home, 'web1');
  const living = host.made();
  // its state is empty, under the same name
  const apart = `mount -t proc p /proc; mount -t tmpfs -o mode=711 s ${home.state}; mount -t tmpfs -o mode=711 r ${home.runtime}; exec "$@"`;
  const enter = ['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', 'sh', '-ec'];
  const { node, bin } = testFacts();
  const start = await home.run([...enter, apart, 'sh', node, bin, 'run', 'web1', '-d'], {
    env: { QRUN_FAILPOINT: 'acquired:macvtap:net0:throw' },
  });
  expect(start.stderr).toContain('acquired:macvtap:net0');
  expect(host.made()).toEqual(living);
  // where it is in the way after all, it is told
  const mac = host.row(living[0] ?? '')?.address ?? '';
  home.profile('web1', `${still}nics: [{ kind: macvtap, parent: v0, mac: "${mac}" }]\n`);
  expect(await home.run([...enter, apart, 'sh', node, bin, 'run', 'web1', '-d'])).toMatchObject({
    ...{ status: 4, stderr: expect.stringMatching(/already: qr-\w+ of web1\n(.*\n)*hint: sudo qrun gc\n/) },
  });
  expect(host.made()).toEqual(living);
  expect((await rowOf(home, 'web1')).nics).not.toMatchObject([{ link: 'lost' }]);
  expect((await home.qrun(['kill', 'web1'])).status).toBe(0);
  expect(host.made()).toEqual([]);
});

test('a port of a network lives without a process: it is told, with the command', async (context) => {
  const host = await createLinkHost(context);
  const home = createHome({ as: 'root', namespace: host.namespace });
  home.network(
    'lan0',
    `forward: bridge\nscope: system\nbridge: { name: br0 }\nports: 1\nowner: ${ownerFor('user').name}\n`,
  );
  expect(await home.qrun(['net', 'up', 'lan0'])).toMatchObject({ status: 0 });
  const [port = ''] = host.made();
  expect(await gc(home)).toEqual({ status: 0, rows: [] });
  // another of root's state directories, on the same host
  const other = createHome({
    ...{ as: 'root', namespace: host.namespace },
    env: { QRUN_HOST_DIR: home.env['QRUN_HOST_DIR'] ?? '' },
  });
  expect(await gc(other)).toEqual({ status: 0, rows: [] });
  forget(home);
  rmSync(home.env['QRUN_HOST_DIR'] ?? '', { recursive: true });
  const { status, rows } = await gc(home);
  expect({ status, rows }).toEqual({
    status: 5,
    rows: [
      {
        ...{ link: port, what: 'net/lan0/port0', state: 'left' },
        why: expect.stringContaining(`sudo ip link delete dev ${port}`),
      },
    ],
  });
  expect(host.made()).toEqual([port]);
});
