/** Names of VMs on networks of root's: whose they are, and what of them a definition may not say. */
import { describe, expect, test } from 'vitest';
import { parseGuestForward } from '../../../src/network/guest-forward.ts';
import { fullGuestName, isUserVm, parseUserVm, userVmsOf } from '../../../src/network/user-vm.ts';
import { networkOf, saidOf } from './network-text.ts';

const root = { uid: 0 };

test.for<[string, string | undefined, string]>([
  ['web1', undefined, 'web1'],
  ['web1', 'root', 'web1'],
  ['web1', 'alice', 'alice/web1'],
  ['root/web1', 'alice', 'web1'],
  ['root/web1', undefined, 'web1'],
  ['bob/web1', 'alice', 'bob/web1'],
  ['10.1.1.9', 'alice', '10.1.1.9'],
  ['fd00::9', 'alice', 'fd00::9'],
])('%s on a network of %s is %s', ([guest, owner, full]) => expect(fullGuestName(guest, owner)).toBe(full));

test('a user and a VM, and nothing besides', () => {
  expect(parseUserVm('alice.b-c_1/web.1')).toEqual({ user: 'alice.b-c_1', vm: 'web.1' });
  for (const name of [
    'web1',
    '/web1',
    'alice/',
    'a/b/c',
    '-a/b',
    'a/-b',
    '../b',
    'a/..',
    'alice/web1\n',
    'a b/c',
    '1a/b',
  ])
    expect([name, isUserVm(name), parseUserVm(name)]).toEqual([name, false, undefined]);
});

test.for<[string, object]>([
  ['8080:alice/web1:80', { guest: 'alice/web1', guestPort: 80, protocol: 'tcp', hostAddress: '127.0.0.1' }],
  ['0.0.0.0:8080:alice/web1:80/udp', { guest: 'alice/web1', protocol: 'udp', hostAddress: '0.0.0.0' }],
])('the forward %s', ([text, value]) => expect(parseGuestForward(text)).toMatchObject({ value }));

test.for(['8080:alice/web1:80/sctp', '8080:a/b/c:80', '8080:/web1:80', '8080:alice/:80', '8080:../web1:80'])(
  '%s is no forward',
  (text) => expect(parseGuestForward(text)).toHaveProperty('fault'),
);

const owned = 'addresses: [10.1.1.1/24]\nports: 2\nowner: alice\n';
const grouped = 'addresses: [10.1.1.1/24]\nports: 2\ngroup: users\n';

test('a definition has them in full, each with a port of its own', () => {
  const network = networkOf(
    `${owned}dhcp: { hosts: [{ vm: web1, ip: 10.1.1.9 }, { vm: root/db, ip: 10.1.1.8 }] }\nforwards: ["8080:web1:80", "8081:alice/web2:80", "8082:10.1.1.7:80"]\n`,
    root,
  );
  expect(network.dhcp?.hosts.map(({ vm }) => vm)).toEqual(['alice/web1', 'db']);
  expect(network.forwards.map(({ guest }) => guest)).toEqual(['alice/web1', 'alice/web2', '10.1.1.7']);
  expect(userVmsOf(network)).toEqual([
    { user: 'alice', vm: 'web1' },
    { user: 'alice', vm: 'web2' },
  ]);
  // without an owner a plain name is root's; on one of a user's own it is his
  expect(networkOf(`${grouped}forwards: ["8080:web1:80"]\n`, root).forwards[0]?.guest).toBe('web1');
  expect(networkOf('forwards: ["8080:web1:80"]\n').forwards[0]?.guest).toBe('web1');
});

describe('what it may not say', () => {
  const hosts = (...rows: string[]): string => `dhcp: { hosts: [${rows.join(', ')}] }\n`;
  const host = (vm: string, ip: string, more = ''): string => `{ vm: ${vm}, ip: ${ip}${more} }`;
  test.for<[string, string]>([
    [`addresses: [10.1.1.1/24]\nforwards: ["8080:alice/web1:80"]\n`, '2:12 forwards[0]: alice/web1 is another user'],
    [`${owned}forwards: ["8080:bob/web1:80"]\n`, '4:12 forwards[0]: bob/web1 can take no port: all of them are alice'],
    [
      `${grouped}${hosts(host('a/x', '10.1.1.7'), host('a/y', '10.1.1.8'), host('b/z', '10.1.1.9'))}`,
      'dhcp.hosts[2].vm: b/z is one VM too many: a port is kept for each that is named, and there are 2',
    ],
    [
      `${grouped}${hosts(host('a/x', '10.1.1.7'), host('a/y', '10.1.1.8'))}forwards: ["8080:a/x:80", "8081:a/z:80"]\n`,
      '5:27 forwards[1]: a/z is one VM too many',
    ],
    [
      `${owned}${hosts(host('web1', '10.1.1.7'), host('alice/web1', '10.1.1.8'))}`,
      'dhcp.hosts[1].vm: alice/web1 is alice/web1, which stands on line 4 already',
    ],
    [
      `${grouped}${hosts(host('alice/web1', '10.1.1.7'), host('bob/web1', '10.1.1.8'))}`,
      'dhcp.hosts[1]: bob/web1 would be known as web1, as is alice/web1 on line 4: give it another "name"',
    ],
    [
      `${grouped}${hosts(host('web1', '10.1.1.7'), host('bob/db', '10.1.1.8', ', name: WEB1'))}`,
      'dhcp.hosts[1]: bob/db would be known as web1, as is web1 on line 4',
    ],
    [`${grouped}${hosts(host('alice/web1', '10.9.9.9'))}`, 'dhcp.hosts[0].ip: 10.9.9.9 does not lie in 10.1.1.0/24'],
    [`${grouped}transport: vde\n${hosts(host('alice/web1', '10.1.1.9'))}`, 'whoever may join a VDE switch'],
    [
      `${grouped}dhcp: false\nforwards: ["8080:alice/web1:80"]\n`,
      'without DHCP nobody knows the address of alice/web1',
    ],
  ])('%s', ([text, said]) => {
    const faults = saidOf(text, root);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(said);
  });

  test('nor, of a user’s own network, another user', () => {
    expect(saidOf('forwards: ["8080:alice/web1:80"]\n')[0]).toContain('write web1');
    expect(saidOf(hosts(host('alice/web1', '10.1.1.9'))).join('\n')).toContain('write web1');
  });

  test('but one VM in both families, two of one name with names of their own, and as many as there are ports', () => {
    const text = `addresses: [10.1.1.1/24, "fd00:1::1/64"]\nports: 2\ngroup: users\n${hosts(
      host('alice/web1', '10.1.1.9'),
      host('alice/web1', '"fd00:1::9"'),
      host('bob/web1', '10.1.1.8', ', name: web2'),
    )}forwards: ["8080:alice/web1:80", "[::]:8081:alice/web1:80"]\n`;
    expect(saidOf(text, root)).toEqual([]);
  });
});
