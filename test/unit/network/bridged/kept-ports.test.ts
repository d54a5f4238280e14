/** Ports that are kept for users' VMs, in the plan of their network: who may open them, their addresses, their names, and what is forwarded to them. */
import { expect, test } from 'vitest';
import type { Mac, VmName } from '../../../../src/names.ts';
import { fixedOfAll } from '../../../../src/network/bridged/fixed-hosts.ts';
import type { PortFacts } from '../../../../src/network/plan-input.ts';
import { planOf, stepOf } from '../a-plan.ts';

const macs = ['52:54:00:00:00:01', '52:54:00:00:00:02'] as Mac[];
const web1 = 'web1' as VmName;
const ofAlice = { number: 1, user: 'alice', uid: 1001, vm: web1 };
const ofBob = { number: 0, user: 'bob', uid: 1002, vm: web1 };

const text = `
addresses: [10.1.1.1/24, "fd00:1::1/64"]
ports: 2
group: users
antiSpoof: true
dhcp: { hosts: [{ vm: alice/web1, ip: 10.1.1.9 }, { vm: alice/web1, ip: "fd00:1::9" }] }
forwards: ["0.0.0.0:8080:alice/web1:80", "[::]:8080:alice/web1:80", "8081:bob/web1:80"]
`;

function plan() {
  const ports: PortFacts = {
    ...{
      host: '/host',
      state: '/state',
      macs,
      group: 100,
      rights: true,
      registry: false,
      udev: false,
      ipv6: true,
      kept: [ofAlice, ofBob],
    },
  };
  const tools = { nft: '/usr/sbin/nft', dnsmasq: '/usr/sbin/dnsmasq' };
  return planOf(text, { uid: 0, addresses: { 'port/0': '10.1.1.50', 'port/1': '10.1.1.51' }, facts: { ports, tools } });
}

test('its keeper alone may open it, and the lock; others are the group’s', () => {
  const [zero, one] = [stepOf(plan(), 'link', 'port:0'), stepOf(plan(), 'link', 'port:1')];
  expect(zero.commands[0]).toMatch(/ user 1002 vnet_hdr$/);
  expect(one.commands[0]).toMatch(/ user 1001 vnet_hdr$/);
  const { network } = stepOf(plan(), 'host-network');
  expect(network.ports).toMatchObject([
    { number: 0, ip: '10.1.1.50', kept: { user: 'bob', uid: 1002, vm: 'web1' } },
    { number: 1, ip: '10.1.1.9', kept: { user: 'alice', uid: 1001, vm: 'web1' } },
  ]);
});

test('forwards lead to what the definition gives, by family, and else to the address of the port', () => {
  expect(plan().forwards.map(({ guest, guestAddress }) => `${guest} ${guestAddress}`)).toEqual([
    'alice/web1 10.1.1.9',
    'alice/web1 fd00:1::9',
    'bob/web1 10.1.1.50',
  ]);
});

test('what it may send from is what it is given', () => {
  const rules = JSON.stringify(stepOf(plan(), 'nft').commands);
  for (const ip of ['10.1.1.9', '10.1.1.50', 'fd00:1::9']) expect(rules).toContain(`"${ip}"`);
  expect(rules).not.toContain('10.1.1.51');
});

test('who hands out addresses knows both by MAC, and one of them by name', () => {
  const hosts = stepOf(plan(), 'file', 'file:hosts').content;
  expect(hosts).toContain('52:54:00:00:00:02,10.1.1.9,[fd00:1::9],web1\n');
  expect(hosts).toContain('52:54:00:00:00:01,10.1.1.50\n');
  // the address that the port had before is nobody's
  expect(hosts).toMatch(/^id:qrun-\w+,10\.1\.1\.51$/m);
});

test('the names stand in a file of their own, where a guest that calls itself so gets none of them', () => {
  expect(stepOf(plan(), 'file', 'file:names').content).toBe('10.1.1.9 web1\nfd00:1::9 web1\n');
  expect(stepOf(plan(), 'file', 'file:dnsmasq').content).toMatch(/^addn-hosts=\/host\/dnsmasq\/lab\.names$/m);
});

test('a VM of root’s keeps its name from one that is named in a forward alone, and not from one of the definition', () => {
  const { ports } = stepOf(plan(), 'host-network').network;
  const members = [{ vm: 'web1', mac: '52:54:00:00:00:09', ip: '10.1.1.60' }];
  const named = (dhcp: Parameters<typeof fixedOfAll>[0]['dhcp'], vm = 'web1') =>
    fixedOfAll({ ...(dhcp !== undefined && { dhcp }) }, ports, {
      members: members.map((member) => ({ ...member, vm })),
      addresses: {},
    })
      .filter(({ name }) => name === 'web1')
      .map(({ ip }) => ip);
  const dhcp = {
    server: 'auto',
    ranges: [],
    leaseS: 60,
    options: [],
    hosts: [{ vm: 'alice/web1', ip: '10.1.1.9' }],
  } as const;
  expect(named(undefined)).toEqual(['10.1.1.60']);
  expect(named(undefined, 'db')).toEqual(['10.1.1.50', '10.1.1.9']);
  expect(named(dhcp)[0]).toBe('10.1.1.9');
});
