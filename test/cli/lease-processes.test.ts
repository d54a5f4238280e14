/** Leases under many processes, and under processes that are killed in the middle. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LeaseProcess } from '../harness/lease-process.ts';
import { prefixFor } from '../harness/as.ts';
import { needsRoot } from '../harness/needs.ts';

let dir: string;
let worker: LeaseProcess;
beforeEach(async () => {
  dir = mkdtempSync('/tmp/ql-');
  chmodSync(dir, 0o755);
  worker = await LeaseProcess.create(dir);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const claims = (): string[] => readdirSync(path.join(dir, 'state/leases/macs'));
const waitFor = async (isThere: () => boolean): Promise<void> => {
  while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 5));
};

test('ABUSE 18: 200 first runs at once get 200 different addresses', { timeout: 300_000 }, async () => {
  const ends = await Promise.all(
    Array.from({ length: 200 }, (_, index) => worker.run({ vm: `vm${index}`, nics: ['net0'] })),
  );
  expect(ends.filter(({ status }) => status !== 0)).toEqual([]);
  expect(new Set(ends.map(({ macs }) => macs['net0'])).size).toBe(200);
  expect(claims()).toHaveLength(200);
});

test('twelve at once for one VM agree', async () => {
  const ends = await Promise.all(Array.from({ length: 12 }, () => worker.run({ vm: 'web1', nics: ['net0', 'net1'] })));
  expect(new Set(ends.map(({ macs }) => JSON.stringify(macs))).size).toBe(1);
  expect(claims()).toHaveLength(2);
});

test('ABUSE 64: killed at every failpoint, the next one works at once, and nothing is left over', async () => {
  const list = path.join(dir, 'failpoints');
  await worker.run({ vm: 'probe', nics: ['net0', 'net1'] }, { env: { QRUN_FAILPOINT_LIST: list } });
  const failpoints = [...new Set(readFileSync(list, 'utf8').trim().split('\n'))];
  expect(failpoints).toEqual(expect.arrayContaining(['lease:guarded', 'lease:claimed', 'lease:written']));
  for (const [index, name] of failpoints.entries()) {
    const vm = `vm${index}`;
    const before = claims().length;
    const killed = await worker.run({ vm, nics: ['net0', 'net1'] }, { env: { QRUN_FAILPOINT: `${name}:kill` } });
    expect(killed.signal).toBe('SIGKILL');
    const other = await worker.run({ vm: `${vm}-other`, nics: ['net0'] });
    const again = await worker.run({ vm, nics: ['net0', 'net1'] });
    expect([other.status, again.status, other.stderr, again.stderr]).toEqual([0, 0, '', '']);
    expect(claims()).toHaveLength(before + 3);
    expect(existsSync(path.join(dir, 'state/leases/pending.json'))).toBe(false);
  }
});

test('ABUSE 46: one that is stopped keeps the others waiting, and its death lets them in', async () => {
  const held = worker.start({ vm: 'web1', nics: ['net0'] }, { env: { QRUN_FAILPOINT: 'lease:claimed:hang' } });
  await waitFor(() => existsSync(path.join(dir, 'state/leases/pending.json')));
  const waiting = worker.start({ vm: 'web2', nics: ['net0'] });
  const early = await Promise.race([waiting.end, new Promise((resolve) => setTimeout(() => resolve('waits'), 1000))]);
  expect(early).toBe('waits');
  held.child.kill('SIGKILL');
  expect(await waiting.end).toMatchObject({ status: 0, macs: { net0: expect.stringMatching(/^52:54:00/) } });
});

test('a lock directory that proper-lockfile would wait ten seconds for is a dead one’s', async () => {
  await worker.run({ vm: 'web1', nics: ['net0'] });
  mkdirSync(path.join(dir, 'state/leases/registry.lock'));
  expect(await worker.run({ vm: 'web2', nics: ['net0'] })).toMatchObject({ status: 0, stderr: '' });
  expect(existsSync(path.join(dir, 'state/leases/registry.lock'))).toBe(false);
});

test('the host-wide registry keeps two users apart', async (context) => {
  needsRoot(context);
  const registry = path.join(dir, 'host/macs');
  mkdirSync(registry, { recursive: true });
  chmodSync(registry, 0o1777);
  for (const sub of ['alice', 'root']) mkdirSync(path.join(dir, sub));
  chmodSync(path.join(dir, 'alice'), 0o1777);
  const pool = ['52:54:00:00:00:01', '52:54:00:00:00:02'];
  const alice = await worker.run(
    { vm: 'web1', nics: ['net0'], pool },
    { prefix: prefixFor('user'), env: { QRUN_STATE_DIR: path.join(dir, 'alice/state') } },
  );
  expect(alice).toMatchObject({ status: 0, macs: { net0: '52:54:00:00:00:01' } });
  const root = await worker.run({ vm: 'web1', nics: ['net0'], pool });
  expect(root).toMatchObject({ status: 0, macs: { net0: '52:54:00:00:00:02' } });
  expect(readdirSync(registry).toSorted()).toEqual(['52-54-00-00-00-01', '52-54-00-00-00-02']);
  const explicit = await worker.run({ vm: 'web2', nics: ['net0=52:54:00:00:00:01'] });
  expect(explicit).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('claimed on this host by another user'),
  });
  // alice cannot get past root's claim either, and what she has is still hers
  const more = await worker.run(
    { vm: 'web2', nics: ['net0'], pool },
    { prefix: prefixFor('user'), env: { QRUN_STATE_DIR: path.join(dir, 'alice/state') } },
  );
  expect(more).toMatchObject({ status: 1, stderr: expect.stringContaining('no MAC address is left') });
});
