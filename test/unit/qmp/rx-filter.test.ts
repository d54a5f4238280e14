import { expect, test } from 'vitest';
import { rxFilterOf } from '../../../src/qmp/rx-filter.ts';

test('what a guest wants of the frames that arrive', () => {
  const row = (name: string, changes: object = {}) => ({
    name,
    'main-mac': '52:54:00:AA:00:01',
    promiscuous: false,
    ...changes,
  });
  const table = { 'multicast-table': ['01:00:5e:00:00:01'] };
  const answer = [row('nic-net0', { promiscuous: true, ...table }), row('nic-net1', table)];
  expect(rxFilterOf(answer, 'nic-net0')).toEqual({ mac: '52:54:00:aa:00:01', promiscuous: true });
  expect(rxFilterOf(answer, 'nic-net1')).toEqual({ mac: '52:54:00:aa:00:01', promiscuous: false });
  for (const odd of [answer, [], {}, null, [null], [{ name: 'nic-net2' }]])
    expect(rxFilterOf(odd, 'nic-net2')).toBeUndefined();
});

test('as QEMU has it before any driver asked for anything: not what the guest asks for', () => {
  const row = {
    ...{ name: 'nic-net0', 'main-mac': '52:54:00:aa:00:01', promiscuous: true, vlan: 'all', 'vlan-table': [] },
    ...{ unicast: 'normal', multicast: 'normal', 'broadcast-allowed': false },
    ...{ 'unicast-table': [], 'multicast-table': [], 'unicast-overflow': false, 'multicast-overflow': false },
  };
  const isPromiscuous = (changes: object) => rxFilterOf([{ ...row, ...changes }], 'nic-net0')?.promiscuous;
  expect(isPromiscuous({})).toBe(false);
  // the driver is there, and the interface not yet up
  expect(isPromiscuous({ vlan: 'normal' })).toBe(false);
  expect(isPromiscuous({ 'unicast-table': ['52:54:00:aa:00:02'] })).toBe(true);
  expect(isPromiscuous({ 'multicast-overflow': true })).toBe(true);
});
