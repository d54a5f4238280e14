import { describe, expect, test } from 'vitest';
import type { QrunError } from '../../../src/errors.ts';
import { parseVmName } from '../../../src/names.ts';
import { parseNetwork } from '../../../src/network/parse.ts';
import { scopeOf, transportOf } from '../../../src/network/scope.ts';
import { errorOf, networkOf, saidOf } from './network-text.ts';

const user = 1000;
const waysOf = (text: string, uid: number): string => {
  const network = networkOf(text, { uid });
  return `${scopeOf(network, uid)} ${transportOf(network, uid)}`;
};
const atHost = (text: string, uid: number, file = '/etc/qrun/networks/lan0.yaml') =>
  parseNetwork(text, { file, name: parseVmName('lan0'), uid });

describe('scope: auto', () => {
  test.for(['{}', 'forward: isolated', 'scope: auto'])('is the own of whoever asks: %j', (text) => {
    expect(waysOf(text, user)).toBe('user hub');
    expect(waysOf(text, 0)).toBe('system tap');
  });

  test.for([
    'forward: route\naddresses: [10.9.8.1/24]',
    'ports: 2\nowner: alice',
    'ports: 2\ngroup: users',
    'forward: isolated\nports: 2\nowner: alice',
  ])("is root's, whoever asks: %j", (text) => {
    expect(waysOf(text, user)).toBe('system tap');
    expect(waysOf(text, 0)).toBe('system tap');
  });

  test('with a VDE switch and ports: means the same to root and to others', () => {
    expect(waysOf('transport: vde\nports: 2\ngroup: users', user)).toBe('system vde');
    expect(waysOf('transport: vde', user)).toBe('user vde');
  });

  test("is root's in root's directory, and there alone", () => {
    for (const uid of [0, user]) expect(scopeOf(atHost('antiSpoof: true', uid), uid)).toBe('system');
    for (const file of ['/etc/qrun/networks/more/lan0.yaml', '/home/a/etc/qrun/networks/lan0.yaml'])
      expect(scopeOf(atHost('{}', user, file), user)).toBe('user');
  });

  test('written, it counts everywhere', () => {
    expect(scopeOf(atHost('scope: user', user), user)).toBe('user');
    expect(waysOf('scope: system', user)).toBe('system tap');
    expect(saidOf('scope: user\nports: 2\nowner: alice')).toEqual([
      expect.stringMatching(/^2:\d+ ports: transport hub cannot honour ports/),
      expect.stringMatching(/^3:\d+ owner: transport hub cannot honour owner/),
    ]);
  });
});

describe('of what makes it root’s', () => {
  test('all is checked as root would', () => {
    expect(saidOf('owner: alice')).toEqual([expect.stringContaining('write "ports" too')]);
    expect(saidOf('ports: 2')).toEqual([expect.stringContaining('who may take a port must be said')]);
    expect(errorOf('ports: 2\nowner: alice\nantiSpoof: true\nnat: { dev: eth0 }')).toBeUndefined();
  });

  test('a plain VM in it is the owner’s', () => {
    const text = 'ports: 2\nowner: alice\ndhcp: { hosts: [{ vm: web1, ip: 10.9.8.7 }] }\naddresses: [10.9.8.1/24]';
    expect(networkOf(text, { uid: user }).dhcp?.hosts).toEqual(networkOf(text, { uid: 0 }).dhcp?.hosts);
    expect(networkOf(text, { uid: user }).dhcp?.hosts).toMatchObject([{ vm: 'alice/web1' }]);
  });

  test('a hub does not carry it, and why is said', () => {
    expect(saidOf('transport: hub\nports: 2\nowner: alice')).toEqual([
      expect.stringContaining('networks of scope user, and "scope: auto" is system with "ports"'),
    ]);
    expect(saidOf('transport: hub', { uid: 0 })).toEqual([expect.stringContaining('is system for root')]);
    let faults: unknown;
    try {
      atHost('transport: hub', user);
    } catch (error) {
      ({ faults } = error as QrunError);
    }
    expect(faults).toMatchObject([
      { message: expect.stringContaining('"scope: auto" is system in /etc/qrun/networks') },
    ]);
  });
});
