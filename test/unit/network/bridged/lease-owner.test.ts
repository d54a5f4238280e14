import { expect, test } from 'vitest';
import { macOfDuid, macOfLease, type LeaseLook } from '../../../../src/network/bridged/lease-owner.ts';
import type { Dhcp6Lease } from '../../../../src/network/bridged/leases.ts';

const web = '52:54:00:00:00:01';
const other = '52:54:00:00:00:02';
const uuid = '00:04:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00';
const lease = (more: Partial<Dhcp6Lease> = {}): Dhcp6Lease => ({ iaid: 5, ip: 'fd00::5', expires: 1, ...more });
const known = [{ mac: web, hostName: 'web1' }, { mac: other }, { mac: web, ips: ['fd00::9'], hostName: 'web1' }];
const ownerOf = (one: Dhcp6Lease, more: Partial<LeaseLook> = {}) => macOfLease(one, { known, met: [], ...more });

test('a DUID that is made from a MAC holds it, and no other does', () => {
  expect(macOfDuid(`00:03:00:01:${web}`)).toBe(web);
  expect(macOfDuid(`00:01:00:01:2b:aa:bb:cc:${web}`)).toBe(web);
  for (const duid of [uuid, `00:03:00:20:${web}`, `00:03:00:01:${web}:00`, '00:03:00:01:52:54', '00:02:00:00:ab:11'])
    expect(macOfDuid(duid)).toBeUndefined();
});

test('whose it is: by an address of its own, who was met, its number, its DUID, its name, in that order', () => {
  const duid = `00:03:00:01:${other}`;
  const met = [{ address: 'fd00::5', mac: web, interface: 'br0' }];
  expect(ownerOf(lease({ duid }))).toBe(other);
  expect(ownerOf(lease({ duid, ip: 'fd00::9' }))).toBe(web);
  expect(ownerOf(lease({ duid }), { met })).toBe(web);
  // one DUID for all interfaces of a guest: the number says which
  expect(ownerOf(lease({ duid, iaid: 1 }))).toBe(web);
  expect(ownerOf(lease({ duid: uuid, hostName: 'WEB1', iaid: 5 }))).toBe(web);
  // of one that is not on the network as far as qrun knows
  expect(ownerOf(lease({ duid: '00:03:00:01:02:00:00:00:00:07', iaid: 5 }))).toBe('02:00:00:00:00:07');
});

test('what means nobody, or more than one, tells nothing', () => {
  expect(ownerOf(lease({ duid: uuid, iaid: 5 }))).toBeUndefined();
  expect(ownerOf(lease({ iaid: 5 }))).toBeUndefined();
  const twins = [
    { mac: web, hostName: 'web' },
    { mac: '02:00:00:00:00:01', hostName: 'web' },
  ];
  expect(ownerOf(lease({ hostName: 'web' }), { known: twins })).toBeUndefined();
});
