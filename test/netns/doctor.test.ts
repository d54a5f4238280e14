/** `qrun doctor` on hosts where something is wrong, in namespaces of the test's own. */
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { ownerFor } from '../harness/as.ts';
import { createHome, needsQemu, type Home, type Namespace } from '../harness/harness.ts';
import { still } from '../cli/a-vm.ts';
import { helperFile } from './a-bridge-host.ts';
import { createLinkHost } from './a-link-host.ts';
import { createSudo } from './a-sudo.ts';
import { createSetupHost } from './a-setup-host.ts';

/** Root's doctor would start a guest under KVM, which is not what is looked at here: in this namespace alone there is no such device. */
function withoutKvm({ namespace }: { readonly namespace: Namespace }): void {
  const hidden = namespace.run(['sh', '-ec', 'test ! -e /dev/kvm || mount --bind /dev/null /dev/kvm']);
  expect(hidden).toMatchObject({ status: 0 });
}

async function checkOf(home: Home, id: string, ...names: readonly string[]): Promise<unknown> {
  const { stdout } = await home.qrun(['doctor', ...names, '--json']);
  return (parseDocument('doctor', stdout) as { id: string }[]).find((check) => check.id === id);
}

test('a chain with hook forward and policy drop is seen, and the rule that is told lets the bridge through', async (context) => {
  needsQemu(context);
  if (!existsSync('/proc/sys/net/bridge')) context.skip('no bridge netfilter');
  if (!existsSync('/usr/sbin/nft')) context.skip('no nft');
  const host = await createLinkHost(context);
  withoutKvm(host);
  const root = createHome({ as: 'root', namespace: host.namespace });
  for (const key of ['iptables', 'ip6tables']) host.must(`sysctl -q -w net.bridge.bridge-nf-call-${key}=1`);
  expect(await checkOf(root, 'forward-policy')).toMatchObject({
    state: 'ok',
    evidence: expect.stringContaining('br0'),
  });
  for (const line of [
    'nft add table inet guard',
    'nft add chain inet guard f { type filter hook forward priority 0 ; policy drop ; }',
  ])
    host.must(line);
  const found = (await checkOf(root, 'forward-policy')) as { mend: string };
  expect(found).toEqual({
    id: 'forward-policy',
    what: expect.any(String),
    state: 'warn',
    evidence: expect.stringContaining('nft chain inet guard f (hook forward, policy drop)'),
    mend: 'sudo nft insert rule inet guard f iifname br0 oifname br0 accept',
  });
  expect(await checkOf(root, 'bridge-netfilter')).toMatchObject({
    state: 'warn',
    mend: 'sudo sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0',
  });
  const user = createHome({ namespace: host.namespace });
  expect(await checkOf(user, 'forward-policy')).toMatchObject({ state: 'warn', mend: 'sudo qrun doctor' });
  const ruleset = host.must('nft list ruleset');
  host.must(found.mend.replace('sudo ', ''));
  expect(await checkOf(root, 'forward-policy')).toMatchObject({ state: 'ok', mend: null });
  host.must('nft flush chain inet guard f');
  // doctor itself changes none
  expect(host.must('nft list ruleset')).toBe(ruleset);
  for (const key of ['iptables', 'ip6tables']) host.must(`sysctl -q -w net.bridge.bridge-nf-call-${key}=0`);
  for (const home of [root, user]) expect(await checkOf(home, 'forward-policy')).toMatchObject({ state: 'ok' });
});

test('taps of the user’s and of others, a strict filter on a parent, tun closed to the user', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context, { tunMode: '600' });
  const user = createHome({ namespace: host.namespace });
  const { uid } = ownerFor(user.as);
  host.must(`ip tuntap add dev tap0 mode tap user ${uid} vnet_hdr`);
  host.must('ip link set dev tap0 master br0 up');
  expect(await checkOf(user, 'taps')).toMatchObject({ state: 'ok', evidence: 'tap0 (on br0)' });
  expect(await checkOf(user, 'tun')).toMatchObject({ state: 'warn' });
  host.must(`ip tuntap add dev tap1 mode tap user ${uid + 1}`);
  user.profile('web1', `${still}nics: [{kind: tap, device: tap1}, {kind: tap, device: tap0}]\n`);
  expect(await checkOf(user, 'nic-net0', 'web1')).toMatchObject({
    state: 'fail',
    evidence: expect.stringContaining('belongs to another user'),
  });
  host.must('ip tuntap add dev open mode tap');
  expect(await checkOf(user, 'taps')).toMatchObject({
    state: 'warn',
    evidence: expect.stringMatching(/^open \(down\): without an owner/),
  });
  host.must('sysctl -q -w net.ipv4.conf.v0.rp_filter=1');
  expect(await checkOf(user, 'rp-filter')).toMatchObject({ state: 'warn', evidence: expect.stringContaining('v0') });
  user.profile('web2', `${still}nics: [{kind: macvtap, parent: v0, hostAccess: true}]\n`);
  expect(await checkOf(user, 'rp-filter', 'web2')).toMatchObject({ state: 'fail' });
  user.profile('web3', `${still}nics: [{kind: macvtap, parent: v0}]\n`);
  expect(await checkOf(user, 'rp-filter', 'web3')).toMatchObject({ state: 'ok' });
});

test('what setup made and an upgrade of QEMU took away is told, and the setup that mends it', async (context) => {
  needsQemu(context);
  const host = await createSetupHost(context);
  withoutKvm(host);
  await host.mustSetup('--bridge', 'br0', '--address', '10.0.5.1/24');
  const user = createHome({
    namespace: host.namespace,
    env: { QRUN_HOST_DIR: host.home.env['QRUN_HOST_DIR'] ?? '' },
  });
  for (const home of [host.home, user])
    expect(await checkOf(home, 'setup')).toMatchObject({
      state: 'ok',
      evidence: expect.stringContaining('all are there'),
    });
  host.must('setcap', '-r', helperFile);
  for (const home of [host.home, user])
    expect(await checkOf(home, 'setup')).toMatchObject({
      state: 'warn',
      evidence: expect.stringMatching(/^[^;]*: undone since$/),
      mend: 'sudo qrun setup --bridge br0 --address 10.0.5.1/24',
    });
  await host.mustSetup('--bridge', 'br0', '--address', '10.0.5.1/24');
  expect(await checkOf(user, 'setup')).toMatchObject({ state: 'ok' });
});

test('a FIFO in the place of bridge.conf is told, and not waited for', async (context) => {
  needsQemu(context);
  const host = await createSetupHost(context);
  withoutKvm(host);
  await host.mustSetup('--bridge', 'br0');
  host.sh('rm /etc/qemu/bridge.conf; mkfifo -m 644 /etc/qemu/bridge.conf');
  const user = createHome({
    namespace: host.namespace,
    env: { QRUN_HOST_DIR: host.home.env['QRUN_HOST_DIR'] ?? '' },
  });
  for (const home of [host.home, user]) {
    const mend = 'sudo mv /etc/qemu/bridge.conf /etc/qemu/bridge.conf.old && sudo qrun setup --bridge br0';
    expect(await checkOf(home, 'setup')).toMatchObject({
      ...{ state: 'warn', mend },
      evidence: expect.stringContaining('undone'),
    });
    for (const id of ['bridge', 'bridge-conf'])
      expect(await checkOf(home, id)).toMatchObject({
        ...{ state: 'warn', mend },
        evidence: expect.stringContaining('/etc/qemu/bridge.conf is no plain file'),
      });
  }
});

test('sudo that is not there, or wants a password: what a run would be refused for, doctor refuses', async (context) => {
  needsQemu(context);
  const host = await createLinkHost(context);
  const sudo = createSudo(host.namespace);
  const before = host.state();
  const homeWith = (env: Readonly<Record<string, string>>): Home => {
    const home = createHome({ namespace: host.namespace, env });
    home.profile('web1', `${still}nics: [{ kind: tap, bridge: br0 }, macvtap:v0]\n`);
    home.profile('web2', `${still}nics: [user]\n`);
    home.write('c/config.yaml', 'sudo: noninteractive\n', 0o644);
    return home;
  };
  const works = homeWith(sudo.env);
  expect((await works.qrun(['doctor', 'web1'])).status).toBe(0);
  expect(await checkOf(works, 'link-rights')).toMatchObject({ state: 'ok' });
  // it was tried, and nothing was asked for
  expect(new Set(sudo.calls())).toEqual(new Set(['ip -batch -']));
  const program = path.join(host.namespace.dir, 'sudo');
  writeFileSync(program, '#!/bin/sh\necho "sudo: a password is required" >&2\nexit 1\n');
  const none = createHostPath(host.namespace);
  for (const [home, says] of [
    [works, 'sudo does not let qrun run: ip -batch -: sudo: a password is required'],
    [homeWith({ PATH: none }), 'there is no sudo on the PATH'],
  ] as const) {
    expect(await checkOf(home, 'link-rights')).toMatchObject({
      state: 'warn',
      evidence: expect.stringContaining(says),
    });
    expect(await checkOf(home, 'profile', 'web1')).toMatchObject({
      state: 'fail',
      evidence: expect.stringContaining(says),
      mend: expect.any(String),
    });
    expect((await home.qrun(['doctor', 'web1'])).status).toBe(3);
    expect((await home.qrun(['run', 'web1', '-d'])).status).toBe(3);
    expect(await checkOf(home, 'profile', 'web2')).not.toMatchObject({ state: 'fail' });
  }
  expect(host.state()).toEqual(before);
});

/** All programs of this machine but sudo. */
function createHostPath({ dir }: Pick<Namespace, 'dir'>): string {
  const tools = path.join(dir, 'tools');
  mkdirSync(tools);
  for (const from of ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'])
    for (const name of existsSync(from) ? readdirSync(from) : [])
      if (name !== 'sudo' && !existsSync(path.join(tools, name))) linkTo(path.join(from, name), path.join(tools, name));
  return tools;
}

function linkTo(target: string, file: string): void {
  try {
    symlinkSync(target, file);
  } catch {
    // a link to nothing is there already
  }
}
