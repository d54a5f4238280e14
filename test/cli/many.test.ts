/** ABUSE 18: many VMs at once. None has a guest, all stand still: a QEMU of this kind takes some 20 MB. */
import { rmSync } from 'node:fs';
import { freemem } from 'node:os';
import { expect, test, type TestContext } from 'vitest';
import { createHome, isAlive, needsQemu, type Home } from '../harness/harness.ts';
import { leftOf, ps, type PsRow } from './a-vm.ts';

const tiny = `accel: tcg
memory: 16
console: none
args: ["-S"]
nics:
  - { kind: user, forwards: ["auto:22"] }
`;

const namesOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `vm${index}`);

function needsMemory(context: TestContext, megabytes: number): void {
  if (freemem() < megabytes * 1024 * 1024) context.skip(`needs ${megabytes} MB of free memory`);
}

const macOf = ({ nics }: PsRow): string => nics[0]?.mac ?? '';
const portOf = ({ nics }: PsRow): number => nics[0]?.forwards?.[0]?.hostPort ?? 0;

function expectAllDifferent(rows: readonly PsRow[], count: number): void {
  expect(rows).toHaveLength(count);
  expect(new Set(rows.map(macOf)).size).toBe(count);
  expect(new Set(rows.map(portOf)).size).toBe(count);
  expect(rows.filter(({ pid, state }) => state !== 'paused' || !isAlive(pid))).toEqual([]);
  for (const row of rows) {
    expect(macOf(row)).toMatch(/^52:54:00:/);
    expect(portOf(row)).toBeGreaterThan(1023);
  }
}

/** One kill of all, whatever the test found before. */
async function endAll(home: Home, names: readonly string[]): Promise<void> {
  const rows = await ps(home);
  const { status, stderr } = await home.qrun(['kill', ...names], { timeoutMs: 180_000 });
  expect({ status, stderr: stderr.replaceAll(/^vm\d+ (killed|did not run)\n/gm, '') }).toEqual({
    status: 0,
    stderr: '',
  });
  expect(rows.filter(({ pid }) => isAlive(pid))).toEqual([]);
  expect(await ps(home)).toEqual([]);
  expect(names.flatMap((name) => leftOf(home, name))).toEqual([]);
  expect((await home.qrun(['gc', '--json'])).stdout.trim()).toBe('[]');
}

test('of several, each error says whose it is', async (context) => {
  needsQemu(context);
  const home = createHome();
  home.profile('one', `${tiny}  - { kind: tap, device: nosuch0 }\n`);
  home.profile('two', `${tiny}hooks: { beforeStart: [/bin/false] }\n`);
  const { status, stderr } = await home.qrun(['one', 'two', 'three', '-d']);
  expect(status).toBe(3);
  expect(stderr).toMatch(/^qrun: one: .*nosuch0/m);
  expect(stderr).toMatch(/^qrun: two: hook beforeStart/m);
  expect(stderr).toMatch(/^qrun: there is no profile three/m);
});

test(
  'ABUSE 18: 200 VMs by one run get 200 addresses and 200 ports, run, and end by one kill',
  { timeout: 400_000 },
  async (context) => {
    needsQemu(context);
    needsMemory(context, 6000);
    const home = createHome({ mayLeave: true, cold: true });
    const names = namesOf(200);
    for (const name of names) home.profile(name, tiny);
    try {
      const { status, stderr } = await home.qrun(['run', '-d', ...names], { timeoutMs: 200_000 });
      expect({ status, stderr: stderr.replaceAll(/^vm\d+ runs, pid \d+\n/gm, '') }).toEqual({ status: 0, stderr: '' });
      expectAllDifferent(await ps(home), names.length);
    } finally {
      await endAll(home, names);
    }
  },
);

test(
  'ABUSE 18: 30 processes at once too, on first run and again with the same addresses',
  { timeout: 300_000 },
  async (context) => {
    needsQemu(context);
    needsMemory(context, 4000);
    const home = createHome({ mayLeave: true, cold: true });
    const names = namesOf(30);
    for (const name of names) home.profile(name, tiny);
    const first = new Map<string, string>();
    for (const round of [1, 2]) {
      try {
        const started = await Promise.all(names.map((name) => home.qrun([name, '-d'], { timeoutMs: 120_000 })));
        expect(started.filter(({ status }) => status !== 0)).toEqual([]);
        const rows = await ps(home);
        expectAllDifferent(rows, names.length);
        if (round === 1) for (const row of rows) first.set(row.vm, macOf(row));
        else expect(new Map(rows.map((row) => [row.vm, macOf(row)]))).toEqual(first);
      } finally {
        await endAll(home, names);
      }
    }
  },
);

test('a profile that is started under 20 names is 20 VMs', { timeout: 300_000 }, async (context) => {
  needsQemu(context);
  needsMemory(context, 3000);
  const home = createHome({ mayLeave: true, cold: true });
  const file = home.profile('tiny', tiny);
  const names = namesOf(20);
  try {
    await Promise.all(names.map((name) => home.qrun(['run', file, '--name', name, '-d'])));
    rmSync(file);
    expectAllDifferent(await ps(home), names.length);
  } finally {
    await endAll(home, names);
  }
});
