/** ABUSE 64: qrun is killed at each failpoint of a launch; gc, twice, leaves nothing; the next run works with the same MAC. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createHome, needsQemu, waitUntil, isAlive, type Home } from '../harness/harness.ts';
import { sideBySide } from './side-by-side.ts';

/** Everything that a launch can take: ports, disks of both sorts, an own directory, hooks on both ends. */
const everything = (home: Home): string => `accel: tcg
memory: 64
console: none
shutdown: { timeout: 0 }
ephemeral: true
disks:
  - file: ${home.dir}/disk.qcow2
    size: 1M
nics:
  - kind: user
    forwards: ["auto:22", "auto:53/udp"]
hooks:
  beforeStart: [/bin/true]
  afterStop: [/bin/true]
`;

interface PsRow {
  readonly pid: number;
  readonly nics: readonly { readonly mac: string }[];
}

const ps = async (home: Home): Promise<PsRow[]> => JSON.parse((await home.qrun(['ps', '--json'])).stdout) as PsRow[];

/** What belongs to a run and not to a VM, and a disk or draft that a start that never ran has made. */
function left(home: Home): string[] {
  const vm = path.join(home.state, 'vms', 'web1');
  const kept = /^(?:leases\.json|disks\.json|ports\.json|last\.json|(?:events|qemu\.log|console\.log)(?:\.1)?)$/;
  const files = existsSync(vm) ? readdirSync(vm).filter((name) => !kept.test(name)) : [];
  const sockets = existsSync(home.runtime) ? readdirSync(home.runtime) : [];
  const drafts = readdirSync(home.dir).filter((name) => name.startsWith('.qrun-'));
  return [...files, ...sockets, ...drafts];
}

async function failpointsOf(run: (env: Record<string, string>, home: Home) => Promise<unknown>): Promise<string[]> {
  const home = createHome();
  home.profile('web1', everything(home));
  const list = path.join(home.dir, 'failpoints');
  await run({ QRUN_FAILPOINT_LIST: list }, home);
  await home.qrun(['stop', 'web1']);
  return [...new Set(readFileSync(list, 'utf8').trim().split('\n'))];
}

const start = (env: Record<string, string>, home: Home) => home.qrun(['web1', '-d'], { env });

/** A whole life in one process: the failpoints of the release too. */
async function startAndRelease(env: Record<string, string>, home: Home): Promise<void> {
  await start({}, home);
  const [row] = await ps(home);
  if (row === undefined) throw new Error('web1 does not run');
  await killWaiterOf(home, row.pid);
  process.kill(row.pid, 'SIGKILL');
  await waitUntil(() => !isAlive(row.pid), 30_000);
  await home.qrun(['gc'], { env });
}

async function killWaiterOf(home: Home, pid: number): Promise<void> {
  const { stdout } = await home.run(['sh', '-c', `cut -d ' ' -f 4 /proc/${pid}/stat`]);
  process.kill(Number(stdout), 'SIGKILL');
}

/** gc twice, then a run: nothing is left in between, and the MAC is the one that `show` told before all this. */
async function recovers(home: Home, mac: string): Promise<void> {
  for (const { pid } of await ps(home)) {
    // killed after QEMU came up: then the VM runs, as after any kill of qrun, and is in reach
    expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
    expect(isAlive(pid)).toBe(false);
  }
  expect((await home.qrun(['gc'])).status).toBe(0);
  expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
  expect(left(home)).toEqual([]);
  const again = await start({}, home);
  expect(again).toMatchObject({ status: 0 });
  const [row] = await ps(home);
  expect(row?.nics[0]?.mac).toBe(mac);
  expect((await home.qrun(['stop', 'web1'])).status).toBe(0);
  await waitUntil(() => left(home).length === 0, 30_000);
  expect(left(home)).toEqual([]);
}

async function macOf(home: Home): Promise<string> {
  const { stdout } = await home.qrun(['show', 'web1', '--json']);
  return (JSON.parse(stdout) as { nics: { mac: string }[] }).nics[0]?.mac ?? '';
}

async function everyFailpoint(
  run: typeof start | typeof startAndRelease,
  how: 'kill' | 'throw',
  least: number,
): Promise<void> {
  const names = await failpointsOf(run);
  expect(names.length).toBeGreaterThanOrEqual(least);
  await sideBySide(names, async (name) => {
    const home = createHome();
    home.profile('web1', everything(home));
    const mac = await macOf(home);
    await run({ QRUN_FAILPOINT: `${name}:${how}` }, home);
    await recovers(home, mac).catch((error: unknown) => {
      throw new Error(`failpoint ${name}:${how}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    });
    await home.dispose();
  });
}

describe('ABUSE 64: killed at each step', () => {
  test('of a start', { timeout: 300_000 }, async (context) => {
    needsQemu(context);
    await everyFailpoint(start, 'kill', 20);
  });

  test('of a release', { timeout: 300_000 }, async (context) => {
    needsQemu(context);
    await everyFailpoint(startAndRelease, 'kill', 20);
  });
});

describe('ABUSE 51: an error at each step', () => {
  test('of a start is given back at once, without gc', { timeout: 300_000 }, async (context) => {
    needsQemu(context);
    await sideBySide(await failpointsOf(start), async (name) => {
      const home = createHome();
      home.profile('web1', everything(home));
      const { status, stderr } = await start({ QRUN_FAILPOINT: `${name}:throw` }, home);
      expect({ name, status, stderr }).toMatchObject({
        status: 3,
        stderr: expect.stringContaining(`failpoint ${name}`),
      });
      expect({ name, left: left(home) }).toEqual({ name, left: [] });
      expect({ name, disk: existsSync(path.join(home.dir, 'disk.qcow2')) }).toEqual({ name, disk: false });
      await home.dispose();
    });
  });

  test('of a release is told with 5, and gc finishes it', { timeout: 300_000 }, async (context) => {
    needsQemu(context);
    await everyFailpoint(startAndRelease, 'throw', 20);
  });
});
