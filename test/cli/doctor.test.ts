/** `qrun doctor`: what it tells of the host, and of one profile; its exit status. */
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { createHome, needsQemu, type Home } from '../harness/harness.ts';
import { still } from './a-vm.ts';

interface Check {
  readonly id: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly evidence: string;
  readonly mend: string | null;
}

async function doctor(home: Home, ...names: readonly string[]): Promise<{ status: number; checks: Check[] }> {
  const { status, stdout, stderr } = await home.qrun(['doctor', ...names, '--json']);
  expect(stderr).toBe('');
  return { status, checks: parseDocument('doctor', stdout) as Check[] };
}

const idsOf = (checks: readonly Check[]): string[] => checks.map(({ id }) => id);

test('the host as a whole: every kind’s prerequisites, each once, with evidence; status 3 for a failure alone', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  const { status, checks } = await doctor(home);
  const ids = idsOf(checks);
  expect(ids).toEqual(
    expect.arrayContaining(
      'qemu kvm ping loopback passt vde bridge forward-policy bridge-netfilter tun vhost link-rights taps rp-filter iommu setup unmanaged config session user-namespaces state leftovers'.split(
        ' ',
      ),
    ),
  );
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id, evidence } of checks) expect({ id, evidence }).not.toEqual({ id, evidence: '' });
  for (const one of checks.filter(({ state }) => state === 'ok')) expect(one).toMatchObject({ mend: null });
  expect(status).toBe(checks.some(({ state }) => state === 'fail') ? 3 : 0);
  const table = await home.qrun(['doctor']);
  expect(table.stdout.split('\n')[0]).toMatch(/^STATE +WHAT +EVIDENCE +MEND$/);
  expect(table.stdout.trim().split('\n')).toHaveLength(ids.length + 1);
});

test('one profile: what its kinds need, each of its NICs, and 0 when it can run', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  home.profile('web1', `${still}nics: [user, {kind: mcast, group: "230.77.0.9:5001"}]\n`);
  const { status, checks } = await doctor(home, 'web1');
  const ids = idsOf(checks);
  expect(ids).toEqual(expect.arrayContaining(['qemu', 'ping', 'cables', 'nic-net0', 'nic-net1', 'profile', 'session']));
  for (const other of ['bridge', 'tun', 'vhost', 'iommu', 'config', 'setup', 'user-namespaces', 'vde'])
    expect(ids).not.toContain(other);
  expect(checks).toContainEqual(expect.objectContaining({ id: 'nic-net0', state: 'ok' }));
  expect(status).toBe(0);
});

test('a profile that cannot run: 3, the NIC at which it fails, and the others as they are', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  home.profile('web1', `${still}nics: [user, {kind: macvtap, parent: nosuch0}]\n`);
  const { status, checks } = await doctor(home, 'web1');
  expect(status).toBe(3);
  expect(checks).toContainEqual(expect.objectContaining({ id: 'nic-net0', state: 'ok' }));
  for (const id of ['nic-net1', 'profile'])
    expect(checks).toContainEqual(
      expect.objectContaining({
        id,
        state: 'fail',
        evidence: expect.stringContaining('there is no network card nosuch0'),
        mend: 'ip -brief link show',
      }),
    );
  expect((await home.qrun(['run', '-d', 'web1'])).status).toBe(3);
});

test('a config.yaml that is wrong fails what needs it, and nothing else', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  const file = path.join(home.config, 'config.yaml');
  home.profile('web1', `${still}nics: [user]\n`);
  home.profile('web2', `${still}nics: [{kind: tap, device: tap9}]\n`);
  writeFileSync(file, 'sudo: always\n');
  if (process.getuid?.() === 0) chmodSync(file, 0o644);
  expect((await doctor(home)).status).toBe(3);
  expect((await doctor(home)).checks).toContainEqual(
    expect.objectContaining({ id: 'config', state: 'fail', mend: expect.stringContaining(file) }),
  );
  expect((await doctor(home, 'web1')).status).toBe(0);
  const { status, checks } = await doctor(home, 'web2');
  expect(status).toBe(3);
  expect(checks).toContainEqual(expect.objectContaining({ id: 'profile', state: 'fail' }));
});

test('a profile that is not there, or has faults, is told as such', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  home.profile('bad', 'memory: lots\n');
  for (const name of ['nosuch', 'bad']) {
    const { status, stdout, stderr } = await home.qrun(['doctor', name, '--json']);
    expect({ name, status, stdout }).toEqual({ name, status: 2, stdout: '' });
    parseDocument('error', stderr);
  }
});
