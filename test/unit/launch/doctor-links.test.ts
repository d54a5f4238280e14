import { expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import type { HostLink } from '../../../src/host/host-link.ts';
import { checkOfIommu } from '../../../src/launch/doctor-cards.ts';
import {
  checkOfReversePath,
  checkOfRights,
  checkOfTaps,
  checkOfTun,
  checkOfVhost,
} from '../../../src/launch/doctor-links.ts';

test('/dev/net/tun: open, closed to the user, a group joined too late, absent, without a driver, refused', () => {
  expect(checkOfTun({ state: 'ok' }, 'alice')).toEqual({
    id: 'tun',
    what: expect.stringContaining('/dev/net/tun'),
    state: 'ok',
    evidence: 'alice may open it',
    mend: null,
  });
  const mends = [
    [{ state: 'blocked', blocked: { member: false } }, 'sudo chmod 0666 /dev/net/tun'],
    [{ state: 'blocked', blocked: { member: false, group: 'netdev' } }, 'sudo usermod -aG netdev alice'],
    [{ state: 'blocked', blocked: { member: true, group: 'netdev' } }, 'newgrp netdev'],
    [{ state: 'absent' }, 'sudo modprobe tun'],
    [{ state: 'no-driver' }, 'sudo modprobe tun'],
    [{ state: 'refused' }, null],
  ] as const;
  for (const [fact, mend] of mends) expect(checkOfTun(fact, 'alice')).toMatchObject({ state: 'warn', mend });
});

test('/dev/vhost-net: open, absent, closed', () => {
  expect(checkOfVhost({ state: 'ok' }, 'alice')).toMatchObject({ state: 'ok', mend: null });
  expect(checkOfVhost({ state: 'absent' }, 'alice')).toMatchObject({ state: 'warn', mend: 'sudo modprobe vhost_net' });
  expect(checkOfVhost({ state: 'blocked', blocked: { member: false, group: 'kvm' } }, 'alice')).toMatchObject({
    state: 'warn',
    mend: 'sudo usermod -aG kvm alice',
  });
});

test('who makes taps and macvtaps', () => {
  for (const rights of ['own', 'ask', 'noninteractive'] as const) expect(checkOfRights(rights).state).toBe('ok');
  expect(checkOfRights('never')).toMatchObject({ state: 'warn', mend: 'sudo qrun run NAME' });
  expect(
    checkOfRights('noninteractive', new QrunError('permission', 'sudo does not', { hint: 'sudo -v' })),
  ).toMatchObject({
    state: 'warn',
    evidence: 'sudo does not',
    mend: 'sudo -v',
  });
  expect(checkOfRights('contained')).toMatchObject({ state: 'warn', mend: expect.stringContaining('NET_ADMIN') });
});

const aTap = (name: string, tap: Partial<NonNullable<HostLink['tap']>>, more: Partial<HostLink> = {}): HostLink => ({
  name,
  kind: 'tap',
  index: 5,
  mac: 'fe:00:00:00:00:01',
  mtu: 1500,
  up: true,
  alias: '',
  uppers: [],
  tap: { multiQueue: false, ...tap },
  ...more,
});

test('taps: the user’s own, others’, none, and one that anybody can take', () => {
  const alice = { uid: 1001, name: 'alice', groups: [1001, 44] };
  const own = [
    aTap('tap0', { owner: 1001 }, { master: 'br0' }),
    aTap('tap1', { group: 44, multiQueue: true }, { up: false }),
    aTap('tap2', { owner: 7 }),
    aTap('tap3', { owner: 1001, group: 45 }),
  ];
  expect(checkOfTaps(own, alice)).toMatchObject({
    state: 'ok',
    evidence: 'tap0 (on br0), tap1 (down, several queues)',
  });
  expect(checkOfTaps(own.slice(2), alice)).toMatchObject({ state: 'ok', evidence: 'none of 2 is for alice' });
  expect(checkOfTaps([aTap('tap5', { attached: true })], alice).state).toBe('ok');
  expect(checkOfTaps([], alice)).toMatchObject({ state: 'ok', evidence: 'there is none' });
  expect(checkOfTaps([...own, aTap('open', {})], alice)).toMatchObject({
    state: 'warn',
    evidence: expect.stringMatching(/^open: without an owner/),
    mend: expect.stringContaining('ip tuntap add dev open mode tap user alice'),
  });
});

test('a strict reverse path filter: a warning of the host, a failure of the profile that needs it otherwise', () => {
  expect(checkOfReversePath({ all: 0, links: { eth0: 2, eth1: 0 } }, true)).toMatchObject({ state: 'ok', mend: null });
  // the greater of the two counts, and 2 is loose
  expect(checkOfReversePath({ all: 2, links: { eth0: 1 } }, true).state).toBe('ok');
  expect(checkOfReversePath({ all: 1, links: { eth0: 0, eth1: 2 } }, false)).toMatchObject({
    state: 'warn',
    evidence: expect.stringContaining('for eth0:'),
    mend: 'sudo sysctl -w net.ipv4.conf.all.rp_filter=2',
  });
  expect(checkOfReversePath({ all: 0, links: { eth0: 1 } }, true)).toMatchObject({
    state: 'fail',
    mend: 'sudo sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.eth0.rp_filter=2',
  });
});

test('IOMMU', () => {
  expect(checkOfIommu(14)).toMatchObject({ state: 'ok', evidence: '14 groups' });
  expect(checkOfIommu(0)).toMatchObject({ state: 'warn', mend: expect.stringContaining('intel_iommu=on') });
});

test('the user nobody is no “nobody”', () => {
  expect(checkOfTun({ state: 'ok' }, 'nobody').evidence).toBe('the user nobody may open it');
  expect(checkOfVhost({ state: 'blocked' }, 'nobody').evidence).toContain('the user nobody may not open it');
});
