import { expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { bridgesOfProfile, checkOfNic, checkOfRun, concerns } from '../../../src/launch/doctor-profile.ts';
import type { CheckedNic } from '../../../src/launch/doctor-ports.ts';
import type { Nic } from '../../../src/profile/profile.ts';

const nics = (...some: readonly object[]): { nics: Nic[] } => ({ nics: some as Nic[] });

test('of one profile what concerns its kinds of NICs is told, and what concerns every VM', () => {
  const tap = nics({ kind: 'tap', bridge: 'br0' });
  expect(
    ['tun', 'vhost', 'forward-policy', 'setup', 'qemu', 'state', 'bridge', 'iommu', 'vde'].filter((id) =>
      concerns(id, tap),
    ),
  ).toEqual(['tun', 'vhost', 'forward-policy', 'setup', 'qemu', 'state']);
  expect(['tun', 'config', 'ping', 'session', 'qemu'].filter((id) => concerns(id, nics()))).toEqual([
    'session',
    'qemu',
  ]);
  expect(['tun', 'iommu', 'user-namespaces'].every((id) => concerns(id, undefined))).toBe(true);
});

test('a NIC on a port of root’s needs what a tap or macvtap needs, and no switch of the user’s', () => {
  const ids = [
    'ports',
    'tun',
    'vhost',
    'forward-policy',
    'bridge-netfilter',
    'firewalld',
    'setup',
    'unmanaged',
    'bridge',
    'vde',
  ];
  const of = (...some: readonly CheckedNic[]): string[] => ids.filter((id) => concerns(id, { nics: some }));
  expect(of({ kind: 'port-tap', bridge: 'br0' })).toEqual(ids.slice(0, 8));
  expect(of({ kind: 'port-tap', bridge: 'br0' }, { kind: 'bridge', bridge: 'br0' })).toEqual(ids.slice(0, 9));
  expect(of({ kind: 'port-macvtap' })).toEqual(['ports', 'vhost', 'setup', 'unmanaged']);
  expect(bridgesOfProfile({ nics: [{ kind: 'port-tap', bridge: 'br0' }, { kind: 'port-macvtap' }] })).toEqual(['br0']);
});

test('the bridges of a profile, each once', () => {
  expect(
    bridgesOfProfile(
      nics({ kind: 'bridge', bridge: 'br0' }, { kind: 'tap', bridge: 'br0' }, { kind: 'tap' }, { kind: 'user' }),
    ),
  ).toEqual(['br0']);
});

test('a NIC: ok, with something to know, impossible', () => {
  const nic = { id: 'net0', kind: 'tap' } as const;
  expect(checkOfNic(nic, { source: 'br0', hostInterface: 'tap0' })).toEqual({
    id: 'nic-net0',
    what: 'net0 (kind: tap)',
    state: 'ok',
    evidence: 'tap0 on br0',
    mend: null,
  });
  expect(checkOfNic(nic, { source: 'tap0', hostInterface: 'tap0', notes: ['net0: tap0 is down'] })).toMatchObject({
    state: 'warn',
    evidence: 'tap0; net0: tap0 is down',
  });
  const error = new QrunError('permission', 'nics[0]: tap0 is bob’s', { hint: 'sudo x', causes: ['why'] });
  expect(checkOfNic(nic, error)).toMatchObject({
    state: 'fail',
    evidence: 'nics[0]: tap0 is bob’s: why',
    mend: 'sudo x',
  });
});

test('the whole: it can, it can with notes, it cannot', () => {
  expect(checkOfRun('web1', [])).toMatchObject({ id: 'profile', state: 'ok', evidence: 'it can' });
  expect(checkOfRun('web1', ['slow'])).toMatchObject({ state: 'warn', evidence: 'it can: slow' });
  expect(checkOfRun('web1', new QrunError('permission', 'no'))).toMatchObject({ state: 'fail', mend: null });
});
