import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StepRecord } from '../../../src/journal/journal.ts';
import type { VfioStep } from '../../../src/plan/step.ts';
import { CardTaken, createVfio } from '../../../src/resources/vfio.ts';
import { createSystem } from '../../../src/system/real.ts';
import { tryLock } from '../../../src/system/flock.ts';
import { PciTree } from '../nic/a-pci-tree.ts';

let root: string;
let tree: PciTree;
const open: number[] = [];
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'qrun-vfio-'));
  tree = new PciTree(root);
});
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
  rmSync(root, { recursive: true });
});

const address = '0000:01:10.0';
const step: VfioStep = {
  ...{ kind: 'vfio', id: 'vfio:net0', needsRoot: true, address, group: 10, fd: 5 },
  bind: { driver: 'ixgbevf', loads: false },
  vf: {
    ...{ parent: 'pf0', index: 0, mac: '52:54:00:aa:bb:cc', vlan: 42 },
    before: { mac: '00:00:00:00:00:00', vlan: 0 },
  },
  node: { owner: { uid: 64055, gid: 108 }, before: { uid: 0, gid: 0 } },
};

function system(): ReturnType<typeof createSystem> {
  return { ...createSystem(), uid: 0, runNow: tree.runNow };
}

async function acquire(of: VfioStep = step): Promise<StepRecord | undefined> {
  let record: StepRecord | undefined;
  const descriptors = new Map<number, number>();
  try {
    const context = { system: system(), runId: 'r', descriptors, warn: () => {} };
    return await createVfio(tree).acquire(of, { ...context, record: (value) => (record = value) });
  } catch (error) {
    throw Object.assign(error as Error, { record });
  } finally {
    open.push(...descriptors.values());
  }
}

/** Whoever had the lock has ended. */
async function release(record: StepRecord | undefined, of: VfioStep = step): Promise<void> {
  for (const fd of open.splice(0)) closeSync(fd);
  await createVfio(tree).release(of, record, { system: system(), runId: 'r', started: true, sameBoot: true });
}

const shown = (): { acquire: string[]; release: string[] } => {
  const { acquire: taken, release: given } = createVfio(tree).describe(step);
  const commands = (actions: typeof taken): string[] =>
    actions.flatMap((action) =>
      'argv' in action
        ? [`${action.argv.join(' ')}${action.stdin === undefined ? '' : ` <<< ${action.stdin.trim()}`}`]
        : [],
    );
  return { acquire: commands(taken), release: commands(given) };
};

describe('a card', () => {
  test('goes to vfio-pci and back, by the very commands that the plan shows', async () => {
    const before = tree.state();
    const record = await acquire();
    expect(tree.driverOf(address)).toBe('vfio-pci');
    expect(tree.calls.splice(0)).toEqual(shown().acquire);
    expect(shown().acquire.map((line) => line.replaceAll(root, ''))).toEqual([
      `tee /sys/bus/pci/devices/${address}/driver_override <<< vfio-pci`,
      `tee /sys/bus/pci/drivers/ixgbevf/unbind <<< ${address}`,
      'ip link set dev pf0 vf 0 mac 52:54:00:aa:bb:cc vlan 42',
      `tee /sys/bus/pci/drivers_probe <<< ${address}`,
      'chown 64055:108 /dev/vfio/10',
    ]);
    await release(record);
    expect(tree.calls).toEqual(shown().release);
    expect(tree.state()).toEqual(before);
    await release(record);
    expect(tree.state()).toEqual(before);
  });

  test('without a driver stays without one', async () => {
    const bare: VfioStep = {
      ...{ kind: 'vfio', id: 'vfio:net0', needsRoot: true, address: '0000:01:10.2', group: 11, fd: 5 },
      bind: { loads: true },
    };
    const before = tree.state();
    const record = await acquire(bare);
    expect(tree.calls[0]).toBe('modprobe vfio-pci');
    expect(tree.driverOf('0000:01:10.2')).toBe('vfio-pci');
    await release(record, bare);
    expect(tree.state()).toEqual(before);
  });

  test.each(['driver_override', 'ixgbevf/unbind', 'ip link', 'drivers_probe', 'chown'])(
    'is given back when %s fails on the way',
    async (part) => {
      const before = tree.state();
      tree.failing.push(part);
      const error: unknown = await acquire().catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'host-failed', record: {} });
      tree.failing.length = 0;
      await release((error as { record: StepRecord }).record);
      expect(tree.state()).toEqual(before);
    },
  );

  test('that cannot be given back is told, with the command', async () => {
    const record = await acquire();
    tree.failing.push('vfio-pci/unbind');
    await expect(release(record)).rejects.toMatchObject({ code: 'left-behind' });
    tree.failing.length = 0;
    await release(record);
    expect(tree.driverOf(address)).toBe('ixgbevf');
  });

  test('that nothing was done to is not touched: no record, another boot, gone', async () => {
    await release(undefined);
    await createVfio(tree).release(step, {}, { system: system(), runId: 'r', started: true, sameBoot: false });
    await release({}, { ...step, address: '0000:0a:00.0' });
    expect(tree.calls).toEqual([]);
  });

  test('that another guest has, or that another driver got meanwhile, is refused before anything is changed', async () => {
    const other = openSync(path.join(tree.directory(address), 'vendor'), 'r');
    open.push(other);
    expect(tryLock(other)).toBe(true);
    await expect(acquire()).rejects.toMatchObject({ code: 'in-use' });
    await expect(acquire({ ...step, address: '0000:01:10.2' })).rejects.toMatchObject({ code: 'in-use' });
    await expect(acquire({ ...step, address: '0000:0a:00.0' })).rejects.toMatchObject({ code: 'host-failed' });
    expect(tree.calls).toEqual([]);
    // where any would have done, the start is planned anew
    await expect(acquire({ ...step, chosen: true })).rejects.toBeInstanceOf(CardTaken);
    await expect(acquire(step)).rejects.not.toBeInstanceOf(CardTaken);
  });

  test('that another guest was given before it was given back is left to that one, and told', async () => {
    const record = await acquire();
    for (const fd of open.splice(0)) closeSync(fd);
    const other = openSync(path.join(tree.directory(address), 'vendor'), 'r');
    expect(tryLock(other)).toBe(true);
    tree.calls.length = 0;
    await expect(release(record)).rejects.toMatchObject({ code: 'left-behind' });
    expect(tree.calls).toEqual([]);
    closeSync(other);
    await release(record);
    expect(tree.driverOf(address)).toBe('ixgbevf');
  });
});
