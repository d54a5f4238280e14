import { describe, expect, test } from 'vitest';
import type { NetworkPlan } from '../../../src/network/network-plan.ts';
import { userNic } from '../../../src/nic/user.ts';
import { faultOfSubnets, userSubnetOf } from '../../../src/nic/user-subnets.ts';
import type { NetworkNic, Nic, UserNic } from '../../../src/profile/profile.ts';
import { aContext, aUserNic } from '../qemu/a-profile.ts';

const user = (id: string, subnet?: string): UserNic => aUserNic({ id, ...(subnet !== undefined && { subnet }) });
const { model, queues, vhost } = aUserNic();
const onNetwork = (id: string, network: string): NetworkNic => ({
  kind: 'network',
  id,
  model,
  queues,
  vhost,
  network,
});
const networks = (subnets: Record<string, string>): Record<string, NetworkPlan> =>
  Object.fromEntries(Object.entries(subnets).map(([name, subnet]) => [name, { subnet } as NetworkPlan]));

const cidrsOf = (nics: readonly Nic[], plans: Record<string, NetworkPlan> = {}): string[] =>
  nics.flatMap((nic) => (nic.kind === 'user' ? [userSubnetOf(nic, nics, plans).cidr] : []));

describe('a user NIC that names no subnet', () => {
  test('has the usual one; each further one the next', () => {
    expect(cidrsOf([user('a')])).toEqual(['10.0.2.0/24']);
    expect(cidrsOf([user('a'), user('b'), user('c')])).toEqual(['10.0.2.0/24', '10.0.3.0/24', '10.0.4.0/24']);
  });

  test('keeps away from what others name, before and behind it', () => {
    expect(cidrsOf([user('a'), user('b', '10.0.2.0/24'), user('c')])).toEqual([
      '10.0.3.0/24',
      '10.0.2.0/24',
      '10.0.4.0/24',
    ]);
    expect(cidrsOf([user('a', '10.0.2.128/25'), user('b')])).toEqual(['10.0.2.128/25', '10.0.3.0/24']);
  });

  test('leaves a large network altogether', () => {
    expect(cidrsOf([user('a', '10.0.0.0/8'), user('b'), user('c')])).toEqual([
      '10.0.0.0/8',
      '172.30.2.0/24',
      '172.30.3.0/24',
    ]);
  });

  test('keeps away from a managed network of the same VM', () => {
    expect(cidrsOf([onNetwork('a', 'lab'), user('b')], networks({ lab: '10.0.2.0/24' }))).toEqual(['10.0.3.0/24']);
  });

  test('sixteen of them have sixteen networks', () => {
    const nics = Array.from({ length: 16 }, (_, index) => user(`n${index}`));
    expect(new Set(cidrsOf(nics)).size).toBe(16);
  });
});

test('QEMU is told the second network as openly as the first, its IPv6 prefix too', () => {
  const nics = [user('net0'), user('net1'), { ...user('net2'), ipv6: false }];
  const netdevs = nics.map((nic) => userNic.plan(nic, { ...aContext(nics), netdevId: nic.id }));
  expect(netdevs[0]?.netdev).not.toHaveProperty('ipv6-prefix');
  expect(netdevs[1]?.netdev).toEqual({
    type: 'user',
    id: 'net1',
    net: '10.0.3.0/24',
    host: '10.0.3.2',
    dns: '10.0.3.3',
    dhcpstart: '10.0.3.15',
    'ipv6-prefix': 'fec0:0:0:1::',
  });
  expect(netdevs[2]?.netdev).toMatchObject({ net: '10.0.4.0/24', ipv6: false });
  expect(netdevs[2]?.netdev).not.toHaveProperty('ipv6-prefix');
  expect(netdevs.map(({ source }) => source)).toEqual(['user', 'user 10.0.3.0/24', 'user 10.0.4.0/24']);
});

describe('networks of one VM that overlap', () => {
  test('are told by both places', () => {
    const fault = faultOfSubnets([user('a', '10.0.0.0/16'), onNetwork('b', 'lab')], networks({ lab: '10.0.5.0/24' }));
    expect(fault).toBe('nics[1]: the network lab (10.0.5.0/24) overlaps that of nics[0] (10.0.0.0/16)');
    expect(
      faultOfSubnets([onNetwork('a', 'x'), onNetwork('b', 'y')], networks({ x: '10.1.0.0/24', y: '10.1.0.0/25' })),
    ).toBe('nics[1]: the network y (10.1.0.0/25) overlaps that of nics[0] (10.1.0.0/24)');
  });

  test('two cards on one managed network are meant so; what names none overlaps nothing', () => {
    expect(faultOfSubnets([onNetwork('a', 'x'), onNetwork('b', 'x')], networks({ x: '10.1.0.0/24' }))).toBeUndefined();
    expect(faultOfSubnets([user('a'), user('b')], {})).toBeUndefined();
  });
});
