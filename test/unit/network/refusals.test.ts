/** Every refusal of a definition that takes more than one key, or a mode, to see: each with the least that brings it about, and its place. */
import { describe, expect, test } from 'vitest';
import { withoutRoot } from '../../../src/network/transport/refusal.ts';
import { unhonoured } from '../../../src/network/transport/tap.ts';
import { saidOf } from './network-text.ts';

const root = { uid: 0 };
/** Of a text that has this one fault. */
const only = (text: string, options?: { readonly uid?: number }): string => {
  const said = saidOf(text, options);
  expect({ text, said }).toEqual({ text, said: [expect.any(String)] });
  return said[0] ?? '';
};

const ports = 'ports: 2\nowner: alice\n';
const four = 'addresses: [10.1.1.1/24]\n';

test('isolated without root: a way out is refused too; a name server of its own is not', () => {
  const text = (option: string, more = four): string =>
    `forward: isolated\n${more}dhcp: { options: [{ option: ${option}, value: 10.1.1.9 }] }\n`;
  expect(only(text('router'), { uid: 1000 })).toContain('are told no way out');
  for (const uid of [0, 1000]) expect(saidOf(text('dns-server'), { uid })).toEqual([]);
  // the subnet follows from the name
  expect(only(text('dns-server', ''), root)).toContain('10.1.1.9 is not in the network');
  expect(saidOf(text('router').replace('isolated', 'nat'), root)).toEqual([]);
});

describe('nat, route, open, isolated of the host’s', () => {
  test.for<[what: string, text: string, said: string]>([
    ['a lease shorter than dnsmasq lends', 'dhcp: { lease: 119 }', '1:16 dhcp.lease: 119 is too short for dnsmasq'],
    [
      'the same in minutes',
      'dhcp: { lease: 1m }',
      'dhcp.lease: 1m is too short for dnsmasq, which lends for 2m at least',
    ],
    [
      'an IPv6 network that is larger than dnsmasq knows, with DHCP',
      'addresses: [10.1.1.1/24, "fd00:1::1/48"]\n',
      '1:26 addresses[1]: fd00:1::1/48: guests get IPv6 addresses in networks of /64 to /126',
    ],
    [
      'the same of isolated',
      'forward: isolated\naddresses: ["fd00:1::1/63"]\n',
      'addresses[0]: fd00:1::1/63: guests get IPv6 addresses in networks of /64',
    ],
    [
      'the same of route, where DHCP is asked for',
      'forward: route\ndhcp: true\naddresses: ["fd00:1::1/63"]\n',
      'guests get IPv6 addresses in networks of /64',
    ],
    [
      'name servers of an isolated network',
      'forward: isolated\ndns: { forwarders: [9.9.9.9] }\n',
      '2:8 dns.forwarders: an isolated network resolves no names but its own',
    ],
    ...['router', '33', '121', '249'].map((option): [string, string, string] => [
      `a way out of an isolated network: ${option}`,
      `forward: isolated\n${four}dhcp: { options: [{ option: ${option}, value: 10.1.1.9 }] }\n`,
      '3:29 dhcp.options[0].option: guests of an isolated network are told no way out: there is none',
    ]),
    [
      'a name server outside of an isolated network',
      `forward: isolated\n${four}dhcp: { options: [{ option: dns-server, value: "10.1.1.9, 9.9.9.9" }] }\n`,
      '3:48 dhcp.options[0].value: 9.9.9.9 is not in the network, and guests of an isolated one reach nobody else',
    ],
    [
      'a range that leaves the subnet',
      `${four}dhcp: { ranges: [10.1.1.200-10.1.2.10] }\n`,
      'dhcp.ranges[0]: 10.1.1.200-10.1.2.10 does not lie in 10.1.1.0/24',
    ],
    [
      'a range of IPv6 that leaves it',
      'addresses: [10.1.1.1/24, "fd00:1::1/64"]\ndhcp: { ranges: ["fd00:1::10-fd00:1:0:1::10"] }\n',
      'dhcp.ranges[0]: fd00:1::10-fd00:1:0:1::10 does not lie in',
    ],
    ['the domain that the host is to ask for', 'hostDns: true\n', '1:1 hostDns: the host asks for names of one domain'],
    [
      'a bridge that has no name for lists and paths',
      'bridge: { name: "br~0" }\n',
      'bridge.name: a bridge that qrun makes has a name of letters, digits, "_", "." and "-"',
    ],
    [
      'an option of DHCP twice, by name and number',
      `dhcp: { options: [{ option: ntp-server, value: 10.1.1.1 }, { option: 42, value: 10.1.1.2 }] }\n`,
      'dhcp.options[1].option: the option 42 is given twice',
    ],
    ['a path with a line break', 'dhcp: { tftp: { root: "/srv/a\\u2028b" } }\n', 'dhcp.tftp.root: a control character'],
    [
      'IPv6 ranges of dhcpd',
      'addresses: [10.1.1.1/24, "fd00:1::1/64"]\ndhcp: { server: dhcpd, ranges: ["fd00:1::10-fd00:1::20"] }\n',
      'dhcp.ranges[0]: fd00:1::10-fd00:1::20 is of IPv6, and dhcpd answers IPv4 alone',
    ],
    [
      'IPv6 hosts of dhcpd',
      'addresses: [10.1.1.1/24, "fd00:1::1/64"]\ndhcp: { server: dhcpd, hosts: [{ vm: a, ip: "fd00:1::10" }] }\n',
      'dhcp.hosts[0].ip: fd00:1::10 is of IPv6, and dhcpd answers IPv4 alone',
    ],
    ['the longest lease below the usual one', 'dhcp: { lease: 2h, maxLease: 1h }', 'dhcp.maxLease: the longest lease'],
    ['an MTU that IPv6 cannot have', 'mtu: 1279\naddresses: ["fd00:1::1/64"]\n', 'mtu: 1279 is too small for IPv6'],
    ['ports of nobody', 'ports: 2\n', 'ports: who may take a port must be said: "owner" or "group"'],
    [
      'addresses of guests that nobody gave them',
      `forward: route\n${four}${ports}antiSpoof: true\n`,
      '5:1 antiSpoof: a guest sends from what DHCP gave it, and this network has none: write "dhcp: true", or leave antiSpoof out',
    ],
    ['the same of open', 'forward: open\nantiSpoof: true\n', '2:1 antiSpoof: a guest sends from what DHCP gave it'],
    ['the same of nat', 'dhcp: false\nantiSpoof: true\n', '2:1 antiSpoof: a guest sends from what DHCP gave it'],
    [
      'the same of IPv6 that follows from no MAC',
      'forward: route\naddresses: ["fd00:1::1/112"]\nantiSpoof: true\n',
      '3:1 antiSpoof: a guest sends from what DHCP gave it',
    ],
    ['takers of no ports', 'owner: alice\n', 'owner: owner says who may take ports: write "ports" too'],
    ['a group that takes no ports', 'group: lab\n', 'group: group says who may take ports: write "ports" too'],
    ['ports of two', `${ports}group: lab\n`, 'group: either "owner" or "group" says who may take a port, not both'],
    ['a name in rules that is a pattern', 'nat: { dev: "e*" }\n', 'nat.dev: "e*" cannot be named in rules'],
    ['the same of route', 'forward: route\nroute: { dev: "e*" }\n', 'route.dev: "e*" cannot be named in rules'],
    [
      'a forward between families',
      `${four}forwards: ["[::]:80:10.1.1.9:80"]\n`,
      'forwards[0]: :: is of IPv6 and 10.1.1.9 of IPv4: rules translate no family into the other',
    ],
    [
      '::1',
      'addresses: ["fd00:1::1/64"]\nforwards: ["[::1]:80:[fd00:1::9]:80"]\n',
      'nobody but the host itself have packets of ::1',
    ],
    ['another user’s VM without ports', 'forwards: ["80:bob/web1:80"]\n', "bob/web1 is another user's"],
  ])('%s', ([, text, said]) => expect(only(text, root)).toContain(said));

  test('at the least that they take', () => {
    for (const text of [
      'dhcp: { lease: 2m }',
      'dhcp: { lease: 119, server: dhcpd }',
      'forward: route\naddresses: ["fd00:1::1/48"]\n',
      'addresses: [10.1.1.1/24, "fd00:1::1/64"]\n',
      'mtu: 1280\naddresses: ["fd00:1::1/64"]\n',
      'mtu: 1000\n',
      'hostDns: true\ndns: { domain: lan.test }\n',
      'antiSpoof: true\n',
      'forward: open\ndhcp: true\nantiSpoof: true\n',
      `forward: route\n${four}dhcp: { hosts: [{ vm: a, ip: 10.1.1.9 }] }\nantiSpoof: true\n`,
      // what the host announces and their MACs make
      'forward: route\naddresses: ["fd00:1::1/64"]\nantiSpoof: true\n',
      'forward: nat\ndns: { forwarders: [9.9.9.9] }\n',
    ])
      expect({ text, said: saidOf(text, root) }).toEqual({ text, said: [] });
  });
});

/** A value of each key that says something. */
const some: Readonly<Record<string, string>> = {
  nat: '{ dev: eth0 }',
  route: '{ dev: eth0 }',
  'bridge.uplink': 'eth1',
  links: '[{ vxlan: { id: 1, peers: [198.51.100.2] } }]',
  hostAccess: 'true',
};

describe('keys of another mode', () => {
  const modes = ['nat', 'route', 'open', 'isolated', 'bridge', 'macvtap', 'hostdev'];
  const honoured: Readonly<Record<string, readonly string[]>> = {
    nat: ['nat'],
    route: ['route'],
    'bridge.uplink': ['bridge', 'macvtap', 'hostdev'],
    links: ['bridge'],
    hostAccess: ['macvtap'],
  };

  test.for(modes.flatMap((mode) => Object.keys(some).map((key) => [mode, key] as const)))('%s: %s', ([mode, key]) => {
    const [outer = '', inner] = key.split('.');
    const value = inner === undefined ? some[key] : `{ ${inner}: ${some[key]} }`;
    const said = saidOf(`scope: system\nforward: ${mode}\n${outer}: ${value}\n`, root);
    const refusal = `${inner ?? outer} belongs to forward: `;
    const found = said.filter((line) => line.includes(refusal));
    expect(found).toHaveLength(honoured[key]?.includes(mode) === true ? 0 : 1);
    for (const line of found) expect(line).toContain(`, and this is ${mode}: `);
  });
});

describe('forward: bridge', () => {
  const values: Readonly<Record<string, string>> = {
    dhcp: 'dhcp: true',
    dns: 'dns: { domain: lan.test }',
    forwards: 'forwards: ["80:10.1.1.9:80"]',
    antiSpoof: 'antiSpoof: true',
    hostDns: 'hostDns: true',
  };

  test('of each key that it cannot honour there is one', () =>
    expect(unhonoured.map(({ path }) => path.join('.')).toSorted()).toEqual(Object.keys(values).toSorted()));

  test.for(Object.entries(values))('%s', ([key, text]) => {
    for (const head of ['forward: bridge\n', 'forward: bridge\nbridge: { name: br0 }\n']) {
      const why = unhonoured.find(({ path }) => path.join('.') === key)?.why;
      const said = saidOf(`${head}${text}\n`, root);
      expect(said.filter((line) => line.includes(`forward: bridge cannot honour ${key}: ${why}`))).toHaveLength(1);
    }
  });

  test.for<[string, string]>([
    [
      'addresses: [10.1.1.1/24]\nbridge: { name: br0 }',
      'forward: bridge cannot honour addresses: the bridge is there already',
    ],
    ['bridge: { name: br0, stp: true }', 'forward: bridge cannot honour bridge.stp: the bridge is there already'],
    [
      'bridge: { name: br0, forwardDelay: 2 }',
      'forward: bridge cannot honour bridge.forwardDelay: the bridge is there',
    ],
    ['bridge: { name: br0, mac: auto }', 'forward: bridge cannot honour bridge.mac: the bridge is there already'],
    ['bridge: { name: "br~0", uplink: eth1 }', 'bridge.name: a bridge that qrun makes has a name of letters'],
    ['ports: 2\nbridge: { name: br0 }', 'ports: who may take a port must be said'],
    ['owner: alice\nbridge: { name: br0 }', 'owner: owner says who may take ports'],
    [`${ports}group: lab\nbridge: { name: br0 }`, 'group: either "owner" or "group"'],
    [
      'links: [{ vxlan: { id: 1, peers: [224.0.0.1] } }]',
      'links[0].vxlan.peers[0]: 224.0.0.1 is the address of no one host',
    ],
    ['links: [{ vxlan: { id: 1, peers: [198.51.100.2, 198.51.100.2] } }]', 'peers[1]: 198.51.100.2 stands there twice'],
    [
      'links: [{ vxlan: { id: 1, peers: [198.51.100.2, "2001:db8::2"] } }]',
      'peers[1]: 198.51.100.2 and 2001:db8::2 are of two families',
    ],
    [
      'links: [{ vxlan: { id: 1, peers: [198.51.100.2] } }, { vxlan: { id: 1, peers: [198.51.100.3] } }]',
      'links[1].vxlan.id: links[0] has that id on that port already',
    ],
  ])('%j', ([text, said]) => expect(only(`forward: bridge\n${text}\n`, root)).toContain(said));
});

describe('scope: user', () => {
  const values: Readonly<Record<string, string>> = {
    bridge: 'bridge: { name: br0 }',
    hostDns: 'hostDns: true',
    nat: 'nat: { dev: eth0 }',
    ports: 'ports: 2',
    owner: 'owner: alice',
    group: 'group: lab',
    antiSpoof: 'antiSpoof: true',
    'dns.records.txt': 'dns: { records: { txt: [{ name: a, text: b }] } }',
    'dns.records.srv': 'dns: { records: { srv: [{ name: a, target: b, port: 1 }] } }',
    'dns.forwarders': 'dns: { forwarders: [9.9.9.9] }',
    isolatedPorts: 'isolatedPorts: true',
    'dhcp.server': 'dhcp: { server: dnsmasq }',
  };

  test('of each key that it cannot honour there is one', () => {
    const keys = withoutRoot.map(({ path }) => path.join('.'));
    expect(Object.keys(values)).toEqual(expect.arrayContaining(keys));
  });

  test.for(Object.entries(values).flatMap(([key, text]) => ['hub', 'vde'].map((by) => [by, key, text] as const)))(
    '%s: %s',
    ([by, key, text]) =>
      expect(only(`scope: user\ntransport: ${by}\n${text}\n`)).toContain(`transport ${by} cannot honour ${key}: `),
  );

  test.for<[string, string]>([
    ['addresses: ["fd00:1::1/64"]', 'addresses: transport hub needs an IPv4 address'],
    ['addresses: [10.1.1.1/24, 10.2.1.1/24]', 'addresses[1]: transport hub has one IPv4 network, and this is another'],
    ['addresses: [10.1.1.1/30]', 'addresses[0]: 10.1.1.1/30 is too small'],
    ['addresses: [10.1.1.1/24, "fd00:1::1/64", "fd00:2::1/64"]', 'addresses[2]: transport hub has one IPv6 network'],
    ['addresses: [10.1.1.1/24, "fd00:1::1/80"]', 'addresses[1]: fd00:1::1/80: guests give themselves IPv6 addresses'],
    ['forward: isolated\naddresses: [10.1.1.1/24, "fd00:1::1/64"]', 'addresses[1]: an isolated network has no router'],
    ['forwards: ["[::1]:80:web1:80"]', 'forwards[0]: networks without root have forwards in IPv4 alone'],
    ['forward: isolated\nforwards: ["0.0.0.0:80:web1:80"]', 'forwards[0]: guests of an isolated network have no route'],
    [
      'addresses: [10.1.1.1/24, "fd00:1::1/64"]\ndhcp: { ranges: ["fd00:1::5-fd00:1::9"] }',
      'dhcp.ranges[0]: transport hub gives IPv4 addresses by DHCP',
    ],
    [
      'addresses: [10.1.1.1/24, "fd00:1::1/64"]\ndhcp: { hosts: [{ vm: a, ip: "fd00:1::5" }] }',
      'dhcp.hosts[0].ip: transport hub gives IPv4 addresses by DHCP',
    ],
    ['dhcp: false\nmtu: 1400', 'mtu: guests are told mtu by DHCP, and there is none'],
    ['dhcp: false\ndns: { search: [lan.test] }', 'dns.search: guests are told dns.search by DHCP, and there is none'],
    ['transport: vde\nmtu: 1501', 'mtu: transport vde carries packets of 1500 bytes at most'],
    ['dhcp: { hosts: [{ vm: bob/web1, ip: 10.1.1.9 }] }\naddresses: [10.1.1.1/24]', 'for VMs of its user: write web1'],
  ])('%j', ([text, said]) => expect(only(text)).toContain(said));
});
