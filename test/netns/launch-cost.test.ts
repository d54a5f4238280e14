/** What a launch on the host's own links spawns, as the kernel sees it; and many of them at once. In a network of the test's own. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import {
  createHome,
  needsFile,
  needsQemu,
  ownerFor,
  prefixFor,
  testFacts,
  waitUntil,
  type Home,
} from '../harness/harness.ts';
import { argvOf, leftOf, ps, still } from '../cli/a-vm.ts';
import { createBridgeHost } from './a-bridge-host.ts';
import { createLinkHost } from './a-link-host.ts';
import { createPortHost } from './a-port-host.ts';

interface Spawned {
  /** Programs by name, in order, without QEMU and its waiter. */
  readonly programs: readonly string[];
  /** Of processes, whether or not one runs a program of its own. */
  readonly forks: number;
}

/**
 * Everything that came to be between the start of `qrun run -d` and its end, QEMU's own children included. Root traces: a program that is traced by
 * anybody else gains no rights by its file.
 */
async function traceRun(home: Home, vm: string): Promise<Spawned> {
  const log = path.join(home.dir, 'trace');
  const qrun = [...prefixFor(home.as), testFacts().node, testFacts().bin, 'run', '-q', '-d', vm];
  // the tracer stays until QEMU ends, and must not keep our pipe
  const script =
    'out=$1; shift; exec strace -D -f -e trace=execve,fork,vfork,clone,clone3,exit_group "$@" >"$out" 2>&1';
  const argv = ['sh', '-c', script, 'sh', path.join(home.dir, 'trace.out'), '-o', log, ...qrun];
  const { status } = await home.run(argv, { as: 'root' });
  expect(status, readFileSync(path.join(home.dir, 'trace.out'), 'utf8')).toBe(0);
  expect((await home.qrun(['kill', vm])).status).toBe(0);
  // it writes all that it saw when it ends
  await waitUntil(() => /^\d+ +\+\+\+ killed by SIGKILL/m.test(readFileSync(log, 'utf8')), 30_000);
  return readTrace(readFileSync(log, 'utf8'));
}

function readTrace(text: string): Spawned {
  const lines = text.split('\n').map((line) => /^(\d+) +(.*)$/.exec(line) ?? ['', '', '']);
  const qrun = lines[0]?.[1] ?? '';
  const end = lines.findIndex(([, pid, call]) => pid === qrun && call?.startsWith('exit_group('));
  expect(end).toBeGreaterThan(0);
  const launch = lines.slice(0, end);
  const executed = new Map<string, string>();
  for (const [, pid = '', call = ''] of launch) {
    const file = /^execve\("([^"]+)"(?!.*= -1 E)/.exec(call)?.[1];
    if (file !== undefined) executed.set(pid, call.includes('"qrun-waiter"') ? 'waiter' : path.basename(file));
  }
  executed.delete(qrun);
  const all = [...executed.values()];
  // the trace is whole: these two are always there
  expect(all.filter((name) => name === 'waiter' || name.startsWith('qemu-system'))).toHaveLength(2);
  const began = launch.filter(
    ([, , call = '']) => /^(?:v?fork|clone3?)\(/.test(call) && !call.includes('CLONE_THREAD'),
  );
  return {
    programs: all.filter((name) => name !== 'waiter' && !name.startsWith('qemu-system')),
    forks: began.length - 2,
  };
}

/** A launch like all but the first of its VM. */
async function traceAgain(home: Home, nic: string): Promise<readonly string[]> {
  home.profile('web1', `${still}nics: [${nic}]\n`);
  for (const command of [
    ['run', '-q', '-d', 'web1'],
    ['kill', '-q', 'web1'],
  ])
    expect((await home.qrun(command)).status).toBe(0);
  const { programs, forks } = await traceRun(home, 'web1');
  expect(forks).toBe(programs.length);
  return programs;
}

const mostSpawned = 4;

test('on a bridge, QEMU’s helper included, a launch spawns at most four; the first gets a MAC besides', async (context) => {
  needsQemu(context);
  needsFile(context, '/usr/bin/strace');
  const host = await createBridgeHost(context);
  const home = createHome({ namespace: host.namespace });
  const again = await traceAgain(home, 'bridge:br0');
  expect(again).toContain('qemu-bridge-helper');
  expect(again.length).toBeLessThanOrEqual(mostSpawned);
  home.profile('web2', `${still}nics: [bridge:br0]\n`);
  const first = await traceRun(home, 'web2');
  expect(first.forks).toBe(first.programs.length);
  // a look at the neighbours, and the lock of the leases
  expect(first.programs.toSorted()).toEqual(['ip', 'bridge', 'flock', ...again].toSorted());
});

test('on a tap, prepared or made, a launch spawns at most four', async (context) => {
  needsQemu(context);
  needsFile(context, '/usr/bin/strace');
  const host = await createLinkHost(context);
  host.must(`ip tuntap add dev cost0 mode tap user ${ownerFor('user').uid} vnet_hdr`);
  host.must('ip link set dev cost0 up');
  expect(await traceAgain(createHome({ namespace: host.namespace }), 'tap:cost0')).toEqual(['flock']);
  const root = createHome({ as: 'root', namespace: host.namespace });
  expect(await traceAgain(root, '{ kind: tap, bridge: br0 }')).toEqual(['flock', 'ip']);
});

test('on a macvtap, made or a port, a launch spawns at most four', async (context) => {
  needsQemu(context);
  needsFile(context, '/usr/bin/strace');
  const { root, home } = await createPortHost(context);
  // the VM's lock, the link, the lock of its device
  expect(await traceAgain(root, '{ kind: macvtap, parent: v0 }')).toEqual(['flock', 'ip', 'flock']);
  root.network('lan0', `forward: macvtap\nbridge: { uplink: v0 }\nports: 1\nowner: ${ownerFor('user').name}\n`);
  expect((await root.qrun(['net', 'up', 'lan0'])).status).toBe(0);
  const port = await traceAgain(home, '{ kind: network, network: lan0 }');
  expect(port.length).toBeLessThanOrEqual(mostSpawned);
  expect(new Set(port)).toEqual(new Set(['flock']));
  expect((await root.qrun(['net', 'down', 'lan0'])).status).toBe(0);
});

test('twenty VMs on one bridge by one command: MACs and taps of their own, and nothing is left', async (context) => {
  needsQemu(context);
  const host = await createBridgeHost(context);
  const before = host.links();
  const home = createHome({ namespace: host.namespace });
  const names = Array.from({ length: 20 }, (_, index) => `web${index + 1}`);
  for (const name of names) home.profile(name, `${still}nics: [bridge:br0]\n`);
  expect((await home.qrun(['run', '-d', ...names])).status).toBe(0);
  const rows = await ps(home);
  // by QEMU's own words
  const macs = rows.map(({ pid }) => /"mac":"([^"]+)"/.exec(argvOf(pid).join(' '))?.[1]);
  expect(new Set(macs).size).toBe(names.length);
  const taps = rows.map(({ nics }) => String((nics[0] as { hostInterface?: string } | undefined)?.hostInterface));
  expect(taps.toSorted()).toEqual(host.taps().toSorted());
  expect(new Set(taps).size).toBe(names.length);
  expect((await home.qrun(['kill', ...names])).status).toBe(0);
  expect(await waitUntil(() => names.every((name) => leftOf(home, name).length === 0), 30_000)).toBe(true);
  expect(await ps(home)).toEqual([]);
  expect(host.links()).toEqual(before);
});
