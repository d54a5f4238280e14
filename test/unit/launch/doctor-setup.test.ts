import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { checkOfManagers, checkOfSettings, checkOfSetup } from '../../../src/launch/doctor-setup.ts';
import type { SetupItem } from '../../../src/setup/item.ts';
import type { SetupEntry } from '../../../src/setup/record.ts';

const helper = '/usr/lib/qemu/qemu-bridge-helper';
const items: readonly SetupItem[] = [
  { kind: 'group', what: 'group vmusers', name: 'vmusers' },
  { kind: 'bridge', what: 'bridge br0', name: 'br0', mac: '52:54:00:00:00:01', acceptRa: false },
  { kind: 'address', what: '10.0.5.1/24 on br0', link: 'br0', cidr: '10.0.5.1/24' },
  {
    kind: 'line',
    what: 'br0 for users',
    path: '/etc/qemu/bridge.conf',
    line: 'allow br0',
    mode: 0o640,
    group: 'vmusers',
  },
  { kind: 'capability', what: 'the right of the bridge helper', file: helper },
  { kind: 'bridge', what: 'bridge br1', name: 'br1', mac: '52:54:00:00:00:02', acceptRa: true },
  { kind: 'uplink', what: 'eth1 on br1', link: 'eth1', bridge: 'br1' },
];
const entries: readonly SetupEntry[] = items.map((item) => ({ item, before: {}, state: 'done' }));
const without =
  (...kinds: readonly string[]) =>
  (item: SetupItem) =>
    kinds.includes(item.kind) || kinds.includes(item.what) ? 'undone' : 'done';

test('what setup made: nothing, all there, not all to be told', () => {
  expect(checkOfSetup([], () => 'done')).toMatchObject({ id: 'setup', state: 'ok', mend: null });
  expect(checkOfSetup(entries, () => 'done')).toMatchObject({ state: 'ok', evidence: '7 things, and all are there' });
  expect(checkOfSetup(entries, ({ kind }) => (kind === 'line' ? 'unknown' : 'done'))).toMatchObject({
    state: 'ok',
    evidence: '7 things, and all are there; 1 of them only root can tell',
  });
});

test('what has come undone, such as the helper’s capability after an upgrade, and the setup that makes it again', () => {
  expect(checkOfSetup(entries, without('capability'))).toMatchObject({
    state: 'warn',
    evidence: 'the right of the bridge helper: undone since',
    mend: 'sudo qrun setup --bridge br0 --address 10.0.5.1/24 --group vmusers',
  });
  expect(checkOfSetup(entries, without('uplink'))).toMatchObject({
    mend: 'sudo qrun setup --bridge br1 --uplink eth1 --group vmusers --yes',
  });
  expect(checkOfSetup(entries, without('bridge'))).toMatchObject({
    mend: 'sudo qrun setup --bridge br0 --address 10.0.5.1/24 --group vmusers && sudo qrun setup --bridge br1 --uplink eth1 --group vmusers --yes',
  });
  const everybody = entries.map(({ item, ...entry }) => {
    if (item.kind !== 'line') return { item, ...entry };
    const { group: _group, ...open } = item;
    return { ...entry, item: open };
  });
  expect(checkOfSetup(everybody, without('capability'))).toMatchObject({
    mend: 'sudo qrun setup --bridge br0 --address 10.0.5.1/24',
  });
  expect(checkOfSetup(entries.slice(0, 1), without('group'))).toMatchObject({
    mend: 'sudo qrun setup --group vmusers',
  });
});

test('a setup that was killed', () => {
  const killed = entries.map((entry, at) => (at === 4 ? ({ ...entry, state: 'begun' } as const) : entry));
  expect(checkOfSetup(killed, () => 'done')).toMatchObject({
    state: 'warn',
    evidence: 'the right of the bridge helper: not finished',
  });
});

test('network managers: none, kept off, not kept off', () => {
  const manager = { name: 'NetworkManager', present: true, file: '/etc/NM/90-qrun.conf', text: undefined };
  expect(checkOfManagers([{ ...manager, present: false }])).toMatchObject({ state: 'ok' });
  const kept = { ...manager, text: '[device-qrun]\nmatch-device=interface-name:qr-*;interface-name:br0\nmanaged=0\n' };
  expect(checkOfManagers([kept])).toMatchObject({ state: 'ok', evidence: '/etc/NM/90-qrun.conf names qr-*' });
  const dhcpcd = { name: 'dhcpcd', present: true, file: '/etc/dhcpcd.conf', text: 'duid\n' };
  expect(checkOfManagers([manager, kept, dhcpcd])).toMatchObject({
    state: 'warn',
    evidence: 'NetworkManager: there is no /etc/NM/90-qrun.conf; dhcpcd: /etc/dhcpcd.conf does not name qr-*',
    mend: 'sudo qrun setup',
  });
  const above = ['interface'];
  const late = { ...dhcpcd, text: 'duid\ninterface eth0\ndenyinterfaces qr-*\n', above };
  expect(checkOfManagers([late])).toMatchObject({
    state: 'warn',
    evidence: 'dhcpcd: /etc/dhcpcd.conf does not name qr-* above its interface',
  });
  const early = { ...dhcpcd, text: 'denyinterfaces qr-*\ninterface eth0\n', above };
  expect(checkOfManagers([early])).toMatchObject({ state: 'ok' });
});

test('config.yaml: absent, read, wrong', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'qrun-doctor-'));
  try {
    const file = path.join(directory, 'config.yaml');
    expect(checkOfSettings({ sudo: 'never' }, [directory])).toMatchObject({
      state: 'ok',
      evidence: `no ${file}: sudo: never`,
    });
    writeFileSync(file, 'sudo: ask\n');
    expect(checkOfSettings({ sudo: 'ask' }, ['/nonexistent', directory])).toMatchObject({
      state: 'ok',
      evidence: `${file}: sudo: ask`,
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
  const unsafe = new QrunError('unsafe-file', 'f can be written by others', { hint: 'chmod go-w f' });
  expect(checkOfSettings(unsafe, [directory])).toMatchObject({ id: 'config', state: 'fail', mend: 'chmod go-w f' });
});
