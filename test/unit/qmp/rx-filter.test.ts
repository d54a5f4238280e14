import { expect, test } from 'vitest';
import { rxFilterOf } from '../../../src/qmp/rx-filter.ts';

test('what a guest wants of the frames that arrive', () => {
  const row = (name: string, changes: object = {}) => ({
    name,
    'main-mac': '52:54:00:AA:00:01',
    promiscuous: false,
    ...changes,
  });
  const answer = [row('nic-net0', { promiscuous: true }), row('nic-net1')];
  expect(rxFilterOf(answer, 'nic-net0')).toEqual({ mac: '52:54:00:aa:00:01', promiscuous: true });
  expect(rxFilterOf(answer, 'nic-net1')).toEqual({ mac: '52:54:00:aa:00:01', promiscuous: false });
  for (const odd of [answer, [], {}, null, [null], [{ name: 'nic-net2' }]])
    expect(rxFilterOf(odd, 'nic-net2')).toBeUndefined();
});
