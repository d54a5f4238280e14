import { describe, expect, test } from 'vitest';
import { requireFreeSubnets, subnetsOf } from '../../../../src/network/bridged/free-subnets.ts';
import type { NetworkFacts, OtherNetwork } from '../../../../src/network/plan-input.ts';
import type { VmName } from '../../../../src/names.ts';
import { networkOf } from '../network-text.ts';

const root = { name: 'lan0', uid: 0 };
const both = 'addresses: [10.10.120.1/24, "fd00:120::1/64"]\n';
const other = (subnets: readonly string[], isUp: boolean): OtherNetwork => ({
  name: 'lan1' as VmName,
  file: '/c/lan1.yaml',
  isUp,
  subnets,
  forwards: [],
});
const refusal = (text: string, facts: Pick<NetworkFacts, 'routes' | 'others'>, own = ['qr-lan0']) => {
  try {
    requireFreeSubnets(networkOf(text, root), facts, own);
    return undefined;
  } catch (error) {
    return error;
  }
};
const told = (message: string, hint = ''): unknown =>
  expect.objectContaining({
    code: 'in-use',
    message: expect.stringContaining(message),
    hint: expect.stringContaining(hint),
  });
const via = (...cidrs: string[]) => ({ routes: cidrs.map((cidr) => ({ cidr, interface: 'eth0' })) });

describe('any overlap', () => {
  test.for<[string, string]>([
    ['10.10.120.0/24', '10.10.120.0/24'],
    ['10.10.120.128/25', '10.10.120.0/24'],
    ['10.10.120.1/32', '10.10.120.0/24'],
    ['10.0.0.0/8', '10.10.120.0/24'],
    ['fd00:120::/64', 'fd00:120::/64'],
    ['fd00:120::8:0/112', 'fd00:120::/64'],
    ['fd00::/8', 'fd00:120::/64'],
  ])('with %s', ([cidr, own]) => {
    expect(refusal(both, via(cidr))).toEqual(
      told(`${own} overlaps with ${cidr}, which this host reaches through eth0`),
    );
    expect(refusal(both, { others: [other([cidr], true)] })).toEqual(
      told(`${own} overlaps with the addresses of network lan1, which is up`),
    );
    expect(refusal(both, { others: [other([cidr], false)] })).toEqual(
      told(`${own} overlaps with the addresses of network lan1 (/c/lan1.yaml)`),
    );
  });

  test.for(['10.10.121.0/24', '10.10.119.128/25', 'fd00:120:0:1::/64', 'fd00:121::/32'])('not with %s', (cidr) => {
    expect(refusal(both, via(cidr))).toBeUndefined();
    expect(refusal(both, { others: [other([cidr], true)] })).toBeUndefined();
  });

  test('not with what is reached through its own bridge', () => {
    expect(refusal(both, via('10.10.120.0/24'), ['eth0'])).toBeUndefined();
  });
});

test('what is proposed is free itself, and goes where it can be written', () => {
  expect(refusal(both, via('10.10.0.0/16'))).toEqual(
    told('', 'write other addresses in /srv/networks/lan0.yaml, such as addresses: [10.200.77.1/24]'),
  );
  expect(refusal(both, via('10.0.0.0/8', '172.16.0.0/12'))).toEqual(told('', 'addresses: [192.168.177.1/24]'));
  expect(refusal(both, via('fd00:120::/48'))).toEqual(told('', 'addresses: ["fd20:77::1/64"]'));
  expect(refusal(both, via('fd20:77::/48', 'fd00:120::/48'))).toEqual(told('', 'addresses: ["fd20:78::1/64"]'));
  expect(refusal('{}', via('10.0.0.0/8'))).toEqual(
    told(
      '(it follows from the name) overlaps with 10.0.0.0/8',
      'qrun net edit lan0, and write addresses: [172.29.77.1/24]',
    ),
  );
});

test('whose addresses count', () => {
  const of = (text: string): readonly string[] => subnetsOf(networkOf(text, root));
  expect(of(both)).toEqual(['10.10.120.1/24', 'fd00:120::1/64']);
  expect(of('addresses: ["fd00:120::1/64"]\n')).toEqual([
    'fd00:120::1/64',
    expect.stringMatching(/^10\.\d+\.\d+\.1\/24$/),
  ]);
  expect(of(`forward: bridge\n${both}`)).toEqual(['10.10.120.1/24', 'fd00:120::1/64']);
  expect(of('forward: bridge\n')).toEqual([]);
  expect(of('forward: bridge\nbridge: { name: br0 }\n')).toEqual([]);
  expect(of('forward: macvtap\nbridge: { uplink: eth1 }\n')).toEqual([]);
});
