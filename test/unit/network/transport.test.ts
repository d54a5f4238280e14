import { describe, expect, test } from 'vitest';
import { saidOf } from './network-text.ts';

/** Path and message of what is said, without the line. */
const said = (transport: string, text: string): string[] =>
  saidOf(`scope: user\ntransport: ${transport}\naddresses: [10.1.1.1/24]\n${text}`).map((line) =>
    line.replace(/^\d+:\d+ /, ''),
  );

describe.for(['hub', 'vde'])('transport: %s', (transport) => {
  test.for<[string, string, string]>([
    ['bridge: { name: br0 }', 'bridge', 'it has no bridge of the host'],
    ['hostDns: true', 'hostDns', 'takes root'],
    ['nat: { ports: 1024-2048 }', 'nat', 'whose ports the kernel chooses'],
    ['ports: 4', 'ports', 'every VM of the user gets a port'],
    ['owner: alice', 'owner', "it is its user's own"],
    ['group: users', 'group', "it is its user's own"],
    ['isolatedPorts: true', 'isolatedPorts', 'lets all guests reach one another'],
    ['antiSpoof: true', 'antiSpoof', 'no rules'],
    ['dhcp: { server: dnsmasq }', 'dhcp.server', 'its switch answers DHCP itself'],
    ['dhcp: { server: dhcpd }', 'dhcp.server', 'its switch answers DHCP itself'],
    ['dns: { forwarders: [9.9.9.9] }', 'dns.forwarders', "the host's own name servers"],
    ['dns: { records: { txt: [{ name: a, text: b }] } }', 'dns.records.txt', 'knows addresses alone'],
    ['dns: { records: { srv: [{ name: a, target: b, port: 1 }] } }', 'dns.records.srv', 'knows addresses alone'],
  ])('cannot honour %s', ([text, path, why]) => {
    const faults = said(transport, text);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(`${path}: transport ${transport} cannot honour ${path}: `);
    expect(faults[0]).toContain(why);
  });

  test.for<[string, string]>([
    ['links: [{ vxlan: { id: 1, peers: [198.51.100.2] } }]', 'links belongs to forward: bridge'],
    ['hostAccess: true', 'hostAccess belongs to forward: macvtap'],
    ['dhcp: { hosts: [{ vm: alice/web1, ip: 10.1.1.9 }] }', 'is for VMs of its user: write web1'],
    ['forwards: ["[::1]:8080:web1:80"]', 'forwards in IPv4 alone'],
    ['dhcp: false\nmtu: 1400', 'guests are told mtu by DHCP, and there is none'],
    ['dhcp: false\ndns: { search: [a.test] }', 'guests are told dns.search by DHCP, and there is none'],
  ])('nor %s', ([text, part]) => {
    const faults = said(transport, text);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(part);
  });

  test.for([
    'bridge: {}',
    'hostDns: false',
    'nat: {}',
    'hostAccess: false',
    'isolatedPorts: false',
    'antiSpoof: false',
    'autostart: false',
    'autostart: true',
    'links: []',
    'dhcp: { server: auto }',
    'dns: { forwarders: [], records: { txt: [], srv: [] } }',
    'mtu: 1500',
  ])('takes %s, which asks for nothing more', (text) => expect(said(transport, text)).toEqual([]));

  test.for<[string, string | undefined]>([
    ['10.1.1.1/8', undefined],
    ['10.1.1.1/29', undefined],
    ['10.1.1.1/30', 'a prefix of 29 or less'],
    ['10.1.1.1/24, 10.2.1.1/24', 'has one IPv4 network'],
    ['"fd00::1/64"', 'needs an IPv4 address'],
    ['10.1.1.1/24, "fd00::1/64"', undefined],
    ['10.1.1.1/24, "fd00::1/72"', 'in a network of /64 alone'],
    ['10.1.1.1/24, "fd00::1/64", "fd01::1/64"', 'has one IPv6 network'],
  ])('addresses: [%s]', ([addresses, part]) => {
    const faults = saidOf(`transport: ${transport}\naddresses: [${addresses}]`);
    expect(faults).toHaveLength(part === undefined ? 0 : 1);
    expect(faults.join('')).toContain(part ?? '');
  });

  test('DHCP gives IPv4 addresses', () => {
    const six = `transport: ${transport}\naddresses: [10.1.1.1/24, "fd00::1/64"]\n`;
    expect(saidOf(`${six}dhcp: { ranges: ["fd00::10-fd00::20"] }`)[0]).toContain('gives IPv4 addresses by DHCP');
    expect(saidOf(`${six}dhcp: { hosts: [{ vm: a, ip: "fd00::10" }] }`)[0]).toContain('gives IPv4 addresses by DHCP');
  });

  test('isolated: forwards for this host alone, and no IPv6', () => {
    expect(said(transport, 'forward: isolated\nforwards: ["8080:web1:80", "127.0.0.2:8081:web1:80"]')).toEqual([]);
    for (const address of ['0.0.0.0', '192.0.2.1', '%eth0'])
      expect(said(transport, `forward: isolated\nforwards: ["${address}:8080:web1:80"]`)[0]).toContain(
        'guests of an isolated network have no route to answer by',
      );
    const six = 'addresses: [10.1.1.1/24, "fd00::1/64"]';
    expect(saidOf(`transport: ${transport}\nforward: isolated\n${six}`)[0]).toContain(
      'nobody tells its guests of IPv6',
    );
  });
});

test('a frame of VDE carries 1500 bytes', () => {
  expect(said('vde', 'mtu: 1501')[0]).toContain('packets of 1500 bytes at most');
  expect(said('hub', 'mtu: 9000')).toEqual([]);
});

test('without a word it is the hub that an ordinary user gets', () => {
  expect(saidOf('antiSpoof: true')[0]).toContain('transport hub cannot honour antiSpoof');
  expect(saidOf('scope: user\nports: 4')[0]).toContain('transport hub cannot honour ports');
  expect(saidOf('ports: 4\nowner: alice', { uid: 0 })).toEqual([]);
});
