import { describe, expect, test } from 'vitest';
import { networkOf, saidOf } from './network-text.ts';

const lan = 'addresses: [10.1.1.1/24]\n';
/** Without a place: what is said of a definition on 10.1.1.0/24. */
const said = (text: string): string[] => saidOf(lan + text).map((line) => line.replace(/^\d+:\d+ /, ''));

describe('addresses', () => {
  test.for<[string, string]>([
    ['10.1.1.1', 'no address with a prefix'],
    ['10.1.1.0/24', 'is the network itself: write the address that the gateway is to have in it, such as 10.1.1.1/24'],
    ['10.1.1.255/24', 'is the broadcast address'],
    ['10.1.1.1/31', 'a prefix of 8 to 30'],
    ['10.1.1.1/7', 'a prefix of 8 to 30'],
    ['0.1.2.3/8', 'in "this network"'],
    ['127.0.0.1/8', 'a loopback address'],
    ['224.0.0.1/24', 'a multicast or reserved address'],
    ['255.255.255.255/24', 'a multicast or reserved address'],
    ['010.1.1.1/24', 'no address with a prefix'],
    ['10.1.1.1/024', 'no address with a prefix'],
    ['"::1/64"', 'a loopback or unspecified address'],
    ['"::/64"', 'a loopback or unspecified address'],
    ['"fe80::1/64"', 'a link-local address'],
    ['"ff02::1/64"', 'a multicast address'],
    ['"::ffff:10.0.0.1/96"', 'an IPv4 address in the form of IPv6'],
    ['"fd00::/64"', 'is the network itself'],
    ['"fd00::1/8"', 'a prefix of 16 to 126'],
    ['"fd00::1/127"', 'a prefix of 16 to 126'],
    ['"fd00::1%eth0/64"', 'no address with a prefix'],
  ])('%s is none', ([written, part]) => {
    const faults = saidOf(`scope: system\naddresses: [${written}]`);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(part);
  });

  test.for(['10.1.1.254/24', '10.255.255.254/8', '10.1.1.1/30', '"fd00::1/64"', '"2001:db8::5/126"'])(
    '%s is one',
    (written) => expect(saidOf(`scope: system\naddresses: [${written}]`)).toEqual([]),
  );

  test.for([
    ['10.1.1.1/24', '10.1.1.2/24'],
    ['10.1.1.1/24', '10.1.2.1/16'],
    ['"fd00::1/64"', '"fd00::1:0:0:0:1/48"'],
  ])('%s and %s lie in one another', ([one, other]) => {
    const faults = saidOf(`scope: system\naddresses:\n  - ${one}\n  - ${other}`);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^4:5 addresses\[1\]: .* on line 3$/);
  });
});

describe('ranges', () => {
  test.for<[string, string | undefined]>([
    ['10.1.1.2-10.1.1.254', 'no address of 10.1.1.0/24 is left for the name server'],
    ['10.1.1.3-10.1.1.254', undefined],
    ['10.1.1.50-10.1.1.50', undefined],
    ['10.1.1.50', 'no range of addresses'],
    ['10.1.1.50-', 'no range of addresses'],
    ['10.1.1.50-60', 'no range of addresses'],
    ['10.1.1.50-10.1.1.60-10.1.1.70', 'no range of addresses'],
    ['10.1.1.60-10.1.1.50', 'runs backwards'],
    ['10.1.1.60-fd00::1', 'one end is IPv4 and the other is IPv6'],
    ['10.1.1.200-10.1.2.10', 'does not lie in 10.1.1.0/24'],
    ['10.2.1.1-10.2.1.9', 'does not lie in 10.1.1.0/24'],
    ['10.1.1.0-10.1.1.0', 'holds 10.1.1.0, the address of the network itself'],
    ['10.1.1.0-10.1.1.9', 'holds 10.1.1.1, the gateway'],
    ['10.1.1.1-10.1.1.9', 'holds 10.1.1.1, the gateway'],
    ['10.1.1.200-10.1.1.255', 'holds 10.1.1.255, the broadcast address'],
  ])('%s', ([range, part]) => {
    const faults = said(`dhcp: { ranges: ["${range}"] }`);
    expect(faults).toHaveLength(part === undefined ? 0 : 1);
    expect(faults.join('')).toContain(part ?? '');
  });

  test('do not meet', () => {
    expect(said('dhcp: { ranges: [10.1.1.50-10.1.1.60, 10.1.1.60-10.1.1.70] }')).toEqual([
      'dhcp.ranges[1]: 10.1.1.60-10.1.1.70 overlaps with 10.1.1.50-10.1.1.60 on line 2',
    ]);
    expect(said('dhcp: { ranges: [10.1.1.50-10.1.1.60, 10.1.1.61-10.1.1.70] }')).toEqual([]);
  });

  test('lie in the network that follows from the name, where none is written', () => {
    expect(saidOf('dhcp: { ranges: [10.1.1.50-10.1.1.60] }')[0]).toMatch(
      /does not lie in 10\.\d+\.\d+\.0\/24, which follows from the name of the network: write "addresses" for another$/,
    );
  });

  test('are not looked at where no address could be read', () => {
    expect(saidOf('addresses: [10.1.1.1]\ndhcp: { ranges: [10.9.9.1-10.9.9.9] }')).toHaveLength(1);
  });
});

describe('hosts', () => {
  test.for<[string, string | undefined]>([
    ['{ vm: web1, ip: 10.1.1.9 }', undefined],
    ['{ mac: 52:54:00:00:00:01, ip: 10.1.1.9 }', undefined],
    ['{ ip: 10.1.1.9 }', 'dhcp.hosts[0]: who it is must be said'],
    ['{ vm: a, mac: 52:54:00:00:00:01, ip: 10.1.1.9 }', 'dhcp.hosts[0]: either "vm" or "mac"'],
    ['{ vm: a, ip: 10.1.2.9 }', 'dhcp.hosts[0].ip: 10.1.2.9 does not lie in 10.1.1.0/24'],
    ['{ vm: a, ip: 10.1.1.1 }', 'dhcp.hosts[0].ip: no guest can have 10.1.1.1, the gateway'],
    ['{ vm: a, ip: 10.1.1.0 }', 'dhcp.hosts[0].ip: no guest can have 10.1.1.0'],
    ['{ vm: a, ip: 10.1.1.255 }', 'dhcp.hosts[0].ip: no guest can have 10.1.1.255'],
    ['{ vm: a, ip: 10.1.1.9 }, { vm: b, ip: 10.1.1.9 }', 'dhcp.hosts[1].ip: 10.1.1.9 stands on line 2 already'],
    ['{ vm: a, ip: 10.1.1.9 }, { vm: a, ip: 10.1.1.8 }', 'dhcp.hosts[1].vm: a stands on line 2 already'],
    [
      '{ mac: 52:54:00:00:00:01, ip: 10.1.1.9 }, { mac: 52-54-00-00-00-01, ip: 10.1.1.8 }',
      'dhcp.hosts[1].mac: 52:54:00:00:00:01 stands on line 2 already',
    ],
  ])('%s', ([hosts, part]) => {
    const faults = said(`dhcp: { hosts: [${hosts}] }`);
    expect(faults).toHaveLength(part === undefined ? 0 : 1);
    expect(faults.join('')).toContain(part ?? '');
  });

  test('somebody has one address of each family, by several networks', () => {
    const some = 'addresses: [10.1.1.1/24, 10.2.0.1/16, "fd00:1::1/64", "fd00:2::1/64"]\n';
    const hosts = (text: string): string[] => saidOf(`scope: system\n${some}dhcp: { hosts: [${text}] }`);
    expect(hosts('{ vm: a, ip: 10.2.7.9 }, { vm: a, ip: "fd00:2::9" }')).toEqual([]);
    expect(hosts('{ mac: 52:54:00:00:00:01, ip: "fd00:1::9" }, { mac: 52:54:00:00:00:01, ip: 10.1.1.9 }')).toEqual([]);
    for (const [text, part] of [
      ['{ vm: a, ip: "fd00:1::9" }, { vm: a, ip: "fd00:2::9" }', 'dhcp.hosts[1].vm: a stands on line 3 already'],
      [
        '{ vm: a, ip: "fd00:1::9" }, { vm: b, ip: "fd00:1:0::9" }',
        'dhcp.hosts[1].ip: fd00:1::9 stands on line 3 already',
      ],
      ['{ vm: a, ip: "fd00:3::9" }', 'dhcp.hosts[0].ip: fd00:3::9 does not lie in 10.1.1.0/24 or'],
      ['{ vm: a, ip: "fd00:2::1" }', 'dhcp.hosts[0].ip: no guest can have fd00:2::1, the gateway'],
      ['{ vm: a, ip: "fd00:2::" }', 'dhcp.hosts[0].ip: no guest can have fd00:2::, the address of the network itself'],
      ['{ vm: a, ip: 10.2.255.255 }', 'dhcp.hosts[0].ip: no guest can have 10.2.255.255, the broadcast address'],
    ] as const) {
      expect(hosts(text)).toEqual([expect.stringContaining(part)]);
    }
  });

  test.for<[string, string]>([
    ['10.1.1.250-10.2.0.10', '10.1.1.250-10.2.0.10 does not lie in'],
    ['10.2.0.1-10.2.0.9', 'holds 10.2.0.1, the gateway'],
    ['"fd00:1::1-fd00:1::9"', 'holds fd00:1::1, the gateway'],
    ['"fd00:1::10-fd00:2::20"', 'does not lie in'],
    ['"fd00:1::10-fd00:1::20", "fd00:1::20-fd00:1::30"', 'overlaps with fd00:1::10-fd00:1::20 on line 3'],
    ['10.2.255.1-10.2.255.255', 'holds 10.2.255.255, the broadcast address'],
  ])('ranges of several networks: %s', ([ranges, part]) => {
    const some = 'addresses: [10.1.1.1/24, 10.2.0.1/16, "fd00:1::1/64", "fd00:2::1/64"]\n';
    expect(saidOf(`scope: system\n${some}dhcp: { ranges: [${ranges}] }`)).toEqual([expect.stringContaining(part)]);
  });

  test('may lie in a range', () => {
    expect(said('dhcp: { ranges: [10.1.1.50-10.1.1.60], hosts: [{ vm: a, ip: 10.1.1.55 }] }')).toEqual([]);
  });
});

describe('forwards', () => {
  test.for<[string, string | undefined]>([
    ['8080:web1:80', undefined],
    ['auto:web1:80', undefined],
    ['8080:10.1.1.9:80/udp', undefined],
    ['0.0.0.0:8080:web1:80', undefined],
    ['%eth0:8080:web1:80', undefined],
    ['8080:80', 'says no guest'],
    ['127.0.0.1:8080:80', 'says no guest'],
    ['%eth0:8080:80', 'says no guest'],
    ['0:web1:80', 'no port'],
    ['8080:web1:0', 'no port'],
    ['8080:web1:80/sctp', 'no protocol'],
    ['8080:-x:80', 'no guest'],
    ['8080:10.1.1.1:80', 'no guest can have 10.1.1.1, the gateway'],
    ['8080:10.9.9.9:80', '10.9.9.9 does not lie in 10.1.1.0/24'],
    ['1.2.3:8080:web1:80', 'no address of this host'],
  ])('%s', ([rule, part]) => {
    const faults = said(`forwards: ["${rule}"]`);
    expect(faults).toHaveLength(part === undefined ? 0 : 1);
    expect(faults.join('')).toContain(part ?? '');
  });

  test('want each port once', () => {
    expect(
      said('forwards: ["8080:web1:80", "0.0.0.0:8080:web2:80", "8080:web1:80/udp", "127.0.0.2:8081:web1:80"]'),
    ).toEqual(['forwards[1]: port 8080 is taken by 127.0.0.1:8080:web1:80 on line 2 already']);
  });

  test('lead to addresses alone where nobody gives any', () => {
    expect(said('dhcp: false\nforwards: ["8080:web1:80"]')[0]).toContain(
      'without DHCP nobody knows the address of web1',
    );
    expect(said('dhcp: false\nforwards: ["8080:10.1.1.9:80"]')).toEqual([]);
  });
});

test('a network in which every address is somebody’s has no place for a name server', () => {
  const hosts = [2, 3, 4, 5].map((octet) => `{ vm: a${octet}, ip: 10.1.1.${octet} }`).join(', ');
  const text = `addresses: [10.1.1.1/29]\ndhcp: { hosts: [${hosts}] }\n`;
  expect(networkOf(text).dhcp?.hosts).toHaveLength(4);
  for (const more of ['dns: { hosts: [{ ip: 10.1.1.6, names: [six] }] }', 'forwards: ["80:10.1.1.6:80"]'])
    expect(saidOf(text + more)[0]).toContain('no address of 10.1.1.0/29 is left for the name server');
});

test('an MTU that is too small for IPv6', () => {
  expect(saidOf('{ addresses: [10.1.1.1/24, "fd00::1/64"], mtu: 1000 }')[0]).toContain('too small for IPv6');
  expect(networkOf('{ addresses: [10.1.1.1/24], mtu: 1000 }').mtu).toBe(1000);
});
