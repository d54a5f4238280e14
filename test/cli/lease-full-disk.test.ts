/** ABUSE 51: no space, no inodes, a read-only file system, no descriptors. Each ends with an error that says so, and the next try works. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { LeaseProcess } from '../harness/lease-process.ts';
import { needsRoot } from '../harness/needs.ts';

async function createWorker(): Promise<{ dir: string; state: string; worker: LeaseProcess }> {
  const dir = mkdtempSync('/tmp/qf-');
  chmodSync(dir, 0o755);
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(path.join(dir, 'state'), { mode: 0o700 });
  return { dir, state: path.join(dir, 'state'), worker: await LeaseProcess.create(dir) };
}

/** Runs what follows where STATE is a small tmpfs; what is in it in the end is copied out. */
const onTmpfs = (dir: string, options: string): string[] => [
  'unshare',
  '--mount',
  'sh',
  '-c',
  `mount -t tmpfs -o mode=0700,${options} t "$0/state" && shift 0; "$@"; s=$?; rm -rf "$0/out"; cp -a "$0/state" "$0/out"; exit $s`,
  dir,
];

test('ABUSE 51: no inodes left at each step in turn', async (context) => {
  needsRoot(context);
  const { dir, worker } = await createWorker();
  let failures = 0;
  for (let inodes = 2; inodes < 40; inodes++) {
    const end = await worker.run(
      { vm: 'web1', nics: ['net0', 'net1'] },
      { prefix: onTmpfs(dir, `nr_inodes=${inodes}`) },
    );
    if (end.status === 0) break;
    failures += 1;
    expect(end.stderr).toMatch(/^QrunError: .*(no space left on the device)/);
    const out = path.join(dir, 'out/leases');
    const drafts = existsSync(out)
      ? readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((name) => /(^|\/)\./.test(name))
      : [];
    expect(drafts).toEqual([]);
  }
  expect(failures).toBeGreaterThan(4);
  expect(failures).toBeLessThan(37);
});

test('ABUSE 51: no blocks left', async (context) => {
  needsRoot(context);
  const { dir, worker } = await createWorker();
  const fill = `${dir}/state/fill`;
  const prefix = [
    ...onTmpfs(dir, 'size=16k'),
    'sh',
    '-c',
    `dd if=/dev/zero of=${fill} bs=4k 2>/dev/null; exec "$@"`,
    'sh',
  ];
  const end = await worker.run({ vm: 'web1', nics: ['net0'] }, { prefix });
  expect(end).toMatchObject({ status: 1, stderr: expect.stringMatching(/^QrunError: .*no space left/) });
});

test('ABUSE 51: a read-only STATE', async (context) => {
  needsRoot(context);
  const { dir, worker } = await createWorker();
  const prefix = [...onTmpfs(dir, 'size=64k'), 'sh', '-c', `mount -o remount,ro ${dir}/state; exec "$@"`, 'sh'];
  const end = await worker.run({ vm: 'web1', nics: ['net0'] }, { prefix });
  expect(end).toMatchObject({ status: 1, stderr: expect.stringMatching(/^QrunError: .*read-only/) });
});

test('ABUSE 51: no descriptors left at each step in turn, and afterwards it works', async () => {
  const { worker } = await createWorker();
  let failures = 0;
  for (let limit = 18; limit < 60; limit++) {
    const prefix = ['prlimit', `--nofile=${limit}:${limit}`];
    const end = await worker.run({ vm: 'web1', nics: ['net0'] }, { prefix });
    if (end.status === 0) break;
    failures += 1;
    // below some number Node itself does not start
    expect(end.stderr).not.toMatch(/^(TypeError|Error): /);
  }
  expect(failures).toBeGreaterThan(0);
  expect(await worker.run({ vm: 'web1', nics: ['net0'] })).toMatchObject({ status: 0, stderr: '' });
});

test('the machine’s own mounts are as they were', () => {
  expect(spawnSync('findmnt', ['-rno', 'TARGET']).stdout.toString()).not.toContain('/tmp/qf-');
});
