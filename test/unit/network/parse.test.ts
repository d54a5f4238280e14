import { describe, expect, test } from 'vitest';
import { directory, errorOf, faultsOf, home, networkOf, saidOf } from './network-text.ts';

describe('a definition', () => {
  test('has a default for everything', () => {
    expect(networkOf('{}')).toEqual({
      name: 'lab',
      file: `${directory}/lab.yaml`,
      forward: 'nat',
      scope: 'auto',
      addresses: [],
      dhcp: { server: 'auto', ranges: [], leaseS: 43_200, options: [], hosts: [] },
      dns: { search: [], hosts: [], forwarders: [], records: { txt: [], srv: [] } },
      hostDns: false,
      forwards: [],
      hostAccess: false,
      isolatedPorts: false,
      antiSpoof: false,
      links: [],
      autostart: false,
    });
  });

  test('may say everything that a network without root can honour', () => {
    const network = networkOf(`
description: a lab
forward: nat
scope: user
transport: hub
addresses: [10.10.120.1/24, "FD00:120:0::1/64"]
dhcp:
  server: auto
  ranges: [10.10.120.50-10.10.120.100, 10.10.120.120 - 10.10.120.200]
  lease: 30m
  maxLease: 24h
  options: [{ option: ntp-server, value: 10.10.120.1 }, { option: 42, value: "10.10.120.1, 10.10.120.2" }]
  hosts:
    - { vm: web1, ip: 10.10.120.10 }
    - { mac: 52-54-00-AA-BB-CC, ip: 10.10.120.11, name: DB }
  tftp: { root: ~/tftp, file: pxelinux.0 }
dns:
  domain: lan0.TEST
  search: [example.org]
  hosts: [{ ip: 10.10.120.1, names: [gw, gw.example.org] }]
forwards: ["0.0.0.0:8080:web1:80/tcp", "8081:web1:80", "auto:10.10.120.11:53/udp"]
mtu: 1400
`);
    expect(network).toEqual({
      name: 'lab',
      file: `${directory}/lab.yaml`,
      description: 'a lab',
      forward: 'nat',
      scope: 'user',
      transport: 'hub',
      addresses: ['10.10.120.1/24', 'fd00:120::1/64'],
      dhcp: {
        server: 'auto',
        ranges: [
          { from: '10.10.120.50', to: '10.10.120.100' },
          { from: '10.10.120.120', to: '10.10.120.200' },
        ],
        leaseS: 1800,
        maxLeaseS: 86_400,
        options: [
          { option: 'ntp-server', value: '10.10.120.1' },
          { option: '42', value: '10.10.120.1, 10.10.120.2' },
        ],
        hosts: [
          { vm: 'web1', ip: '10.10.120.10' },
          { mac: '52:54:00:aa:bb:cc', ip: '10.10.120.11', name: 'db' },
        ],
        tftp: { root: `${home}/tftp`, file: 'pxelinux.0' },
      },
      dns: {
        domain: 'lan0.test',
        search: ['example.org'],
        hosts: [{ ip: '10.10.120.1', names: ['gw', 'gw.example.org'] }],
        forwarders: [],
        records: { txt: [], srv: [] },
      },
      hostDns: false,
      forwards: [
        { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, guest: 'web1', guestPort: 80 },
        { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 8081, guest: 'web1', guestPort: 80 },
        { protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 'auto', guest: '10.10.120.11', guestPort: 53 },
      ],
      hostAccess: false,
      isolatedPorts: false,
      antiSpoof: false,
      links: [],
      mtu: 1400,
      autostart: false,
    });
  });

  test("may say everything of a network of the host's", () => {
    const network = networkOf(`
forward: open
scope: system
transport: tap
bridge: { name: br-lan0, stp: true, forwardDelay: 4, mac: 52:54:00:AA:BB:CC }
addresses: [10.10.120.1/24, 10.10.121.1/30]
dhcp: { server: dnsmasq, lease: infinite, hosts: [{ vm: web1, ip: 10.10.120.10 }] }
dns:
  forwarders: [9.9.9.9, "2620:fe::fe"]
  records:
    txt: [{ name: _acme, text: "v=spf1 -all" }]
    srv: [{ name: _ldap._tcp, target: ds.lan0.test, port: 389 }]
isolatedPorts: true
antiSpoof: true
mtu: 1500
`);
    expect(network).toMatchObject({
      bridge: { name: 'br-lan0', stp: true, forwardDelay: 4, mac: '52:54:00:aa:bb:cc' },
      dhcp: { server: 'dnsmasq', leaseS: 2 ** 32 - 1, hosts: [{ vm: 'web1' }] },
      dns: {
        forwarders: ['9.9.9.9', '2620:fe::fe'],
        records: {
          txt: [{ name: '_acme', text: 'v=spf1 -all' }],
          srv: [{ name: '_ldap._tcp', target: 'ds.lan0.test', port: 389 }],
        },
      },
      isolatedPorts: true,
      antiSpoof: true,
      mtu: 1500,
    });
  });

  test('may say everything of a network that is joined with the world outside', () => {
    const network = networkOf(`
forward: bridge
scope: system
transport: tap
bridge: { name: br-lan0, stp: true, forwardDelay: 4, mac: 52:54:00:AA:BB:CC, uplink: eth1 }
addresses: [10.10.120.1/24]
isolatedPorts: true
links: [{ vxlan: { id: 42, peers: [198.51.100.2], dev: eth0 } }, { vxlan: { id: 42, peers: ["2001:db8::2"], port: 4790 } }]
mtu: 1400
ports: 2
owner: alice
`);
    expect(network).toMatchObject({
      bridge: { name: 'br-lan0', stp: true, forwardDelay: 4, mac: '52:54:00:aa:bb:cc', uplink: 'eth1' },
      addresses: ['10.10.120.1/24'],
      isolatedPorts: true,
      links: [
        { vxlan: { id: 42, peers: ['198.51.100.2'], port: 4789, dev: 'eth0' } },
        { vxlan: { id: 42, peers: ['2001:db8::2'], port: 4790 } },
      ],
      mtu: 1400,
    });
  });

  describe('of ports for ordinary users', () => {
    const onBridge = 'forward: bridge\nbridge: { name: br0 }\nports: 4\n';
    const onCard = 'forward: macvtap\nbridge: { uplink: eth1 }\nports: 4\n';

    test.for([`${onBridge}owner: alice`, `${onCard}group: qemusers`])('%j', (text) => {
      expect(networkOf(text)).toMatchObject({ ports: 4 });
    });

    test.for<[string, string]>([
      [onBridge, '"owner" or "group"'],
      [`${onBridge}owner: alice\ngroup: qemusers`, 'not both'],
      ['forward: bridge\nbridge: { name: br0 }\nowner: alice', 'write "ports" too'],
      ['forward: macvtap\nports: 4\nowner: alice', 'bridge: { uplink: eth1 }'],
      ['forward: macvtap\nbridge: { uplink: eth1, name: br0 }\nports: 4\nowner: alice', 'cannot honour bridge.name'],
      [`${onBridge}owner: alice\naddresses: [10.0.0.1/24]`, 'cannot honour addresses'],
      [
        `${onBridge}owner: alice\nbridge: { name: br0, stp: true }`.replace('bridge: { name: br0 }\n', ''),
        'cannot honour bridge.stp',
      ],
      [`${onCard}owner: alice\nmtu: 9000`, 'cannot honour mtu'],
      [`${onBridge}owner: alice\nhostAccess: true`, 'hostAccess belongs to forward: macvtap'],
      [`${onCard}owner: alice\nhostAccess: { address: 10.0.5.0/24 }`, 'the network itself'],
      [`${onCard}owner: alice\nhostAccess: { adress: 10.0.5.9/24 }`, 'did you mean "address"?'],
      ['ports: 4', 'ports'],
      ['owner: alice', 'owner'],
    ])('%j is refused', ([text, part]) => {
      expect(saidOf(text).join('\n')).toContain(part);
    });
  });

  test('nat belongs to forward: nat', () => {
    const nat = 'scope: system\nnat: { ports: 1024-65535, dev: eth0 }\n';
    expect(networkOf(nat).nat).toEqual({ ports: { from: 1024, to: 65_535 }, dev: 'eth0' });
    expect(saidOf(`forward: route\n${nat}`)).toEqual([
      '3:1 nat: nat belongs to forward: nat, and this is route: without NAT there is nothing to choose',
    ]);
  });

  test('hostAccess belongs to forward: macvtap', () => {
    expect(networkOf('{ forward: macvtap, bridge: { uplink: eth1 }, hostAccess: true }').hostAccess).toBe(true);
    expect(saidOf('{ scope: system, hostAccess: true }')[0]).toContain('hostAccess belongs to forward: macvtap');
  });

  test('a bridge may have a MAC made from its name', () => {
    expect(networkOf('{ scope: system, bridge: { mac: auto } }').bridge).toEqual({ mac: 'auto' });
  });
});

describe('dhcp', () => {
  const on = { server: 'auto', ranges: [], leaseS: 43_200, options: [], hosts: [] };
  test.for<[string, object | undefined]>([
    ['{}', on],
    ['{ dhcp: true }', on],
    ['{ dhcp: {} }', on],
    ['{ dhcp: false }', undefined],
    ['{ forward: isolated }', on],
    ['{ forward: bridge }', undefined],
    ['{ forward: route }', undefined],
    ['{ forward: route, dhcp: true }', on],
  ])('%s', ([text, expected]) => expect(networkOf(text).dhcp).toEqual(expected));

  test.for<[string, number]>([
    ['60', 60],
    ['3600', 3600],
    ['"3600"', 3600],
    ['90s', 90],
    ['30m', 1800],
    ['12h', 43_200],
    ['7d', 604_800],
    ['2w', 1_209_600],
    ['infinite', 2 ** 32 - 1],
  ])('lease: %s', ([text, seconds]) => expect(networkOf(`dhcp: { lease: ${text} }`).dhcp?.leaseS).toBe(seconds));

  test.for(['59', '0', '-1', '1.5', '12', 'forever', '1y', '1h30m', '999999w', '""', 'true', '[]', '010'])(
    'lease: %s is none',
    (text) => expect(faultsOf(`dhcp: { lease: ${text} }`).map(({ path }) => path)).toEqual(['dhcp.lease']),
  );

  test('the longest lease is no shorter than the usual one', () => {
    expect(saidOf('dhcp: { lease: 2h, maxLease: 1h }')).toEqual([
      '1:30 dhcp.maxLease: the longest lease is shorter than "lease"',
    ]);
    expect(saidOf('dhcp: { lease: 2h, maxLease: 2h }')).toEqual([]);
  });
});

describe('faults', () => {
  test('are all told at once, in the order of the file, with their places', () => {
    const error = errorOf(`forward: natt
addresses: [10.1.1.1]
dhcp:
  leese: 1h
  ranges: [1-2]
mtu: "1500"
hostDns: yes
`);
    expect(error?.status).toBe(2);
    expect(error?.message).toBe('lab.yaml is no valid network: it has 6 faults');
    expect(error?.faults.map(({ line, column, path, width }) => [line, column, path, width])).toEqual([
      [1, 10, 'forward', 4],
      [2, 13, 'addresses[0]', 8],
      [4, 3, 'dhcp.leese', 5],
      [5, 12, 'dhcp.ranges[0]', 3],
      [6, 6, 'mtu', 6],
      [7, 10, 'hostDns', 3],
    ]);
    expect(error?.faults[0]).toMatchObject({
      file: `${directory}/lab.yaml`,
      source: 'forward: natt',
      message: expect.stringContaining('did you mean "nat"?') as string,
    });
  });

  test.for<[string, string]>([
    ['- a', 'a network is a map of keys and values, not a list'],
    ['', 'the file is empty'],
    ['%YAML 1.1\n---\n{}', 'a network is YAML 1.2'],
    ['{}\n---\n{}', 'a second document: a network is one'],
    [`a: "${'x'.repeat(300_000)}"`, 'is no network'],
  ])('speak of a network: %#', ([text, part]) => expect(saidOf(text).join('\n')).toContain(part));

  test.for<[string, string]>([
    ['forward', 'vpn'],
    ['forward', '[nat]'],
    ['scope', 'host'],
    ['transport', 'switch'],
    ['bridge', 'br0'],
    ['addresses', '10.0.0.1/24'],
    ['dhcp', '5'],
    ['dns', 'lan0.test'],
    ['hostDns', '1'],
    ['forwards', '8080:web1:80'],
    ['nat', 'eth0'],
    ['ports', '0'],
    ['ports', '257'],
    ['owner', '"a b"'],
    ['owner', '7'],
    ['group', '"a:b"'],
    ['hostAccess', '"true"'],
    ['isolatedPorts', 'on'],
    ['antiSpoof', '0'],
    ['links', '{}'],
    ['mtu', '67'],
    ['mtu', '65536'],
    ['mtu', '1500.5'],
    ['autostart', '~'],
    ['description', '3'],
  ])('%s: %s is none', ([key, value]) => {
    expect(faultsOf(`${key}: ${value}`).map(({ path }) => path)).toContain(key);
  });

  test.for<[string, string]>([
    ['bridge: { name: "a/b" }', 'bridge.name'],
    ['bridge: { name: sixteen-letters-x }', 'bridge.name'],
    ['bridge: { forwardDelay: 31 }', 'bridge.forwardDelay'],
    ['bridge: { mac: 53:54:00:11:22:33 }', 'bridge.mac'],
    ['bridge: { uplink: "eth0:1" }', 'bridge.uplink'],
    ['dhcp: { server: kea }', 'dhcp.server'],
    ['dhcp: { hosts: [{ vm: -x, ip: 10.0.0.1 }] }', 'dhcp.hosts[0].vm'],
    ['dhcp: { hosts: [{ vm: web1 }] }', 'dhcp.hosts[0].ip'],
    ['dhcp: { hosts: [{ vm: web1, ip: web1 }] }', 'dhcp.hosts[0].ip'],
    ['dhcp: { hosts: [{ mac: 52:54, ip: 10.0.0.1 }] }', 'dhcp.hosts[0].mac'],
    ['dhcp: { tftp: { file: x } }', 'dhcp.tftp.root'],
    ['dhcp: { tftp: { root: "http://x" } }', 'dhcp.tftp.root'],
    [`dhcp: { tftp: { root: /srv, file: ${'x'.repeat(128)} } }`, 'dhcp.tftp.file'],
    ['dhcp: { options: [{ option: ntp-server }] }', 'dhcp.options[0].value'],
    ['dhcp: { options: [{ option: 0, value: x }] }', 'dhcp.options[0].option'],
    ['dns: { domain: -a }', 'dns.domain'],
    ['dns: { domain: a..b }', 'dns.domain'],
    ['dns: { search: [a b] }', 'dns.search[0]'],
    ['dns: { hosts: [{ ip: 10.0.0.1, names: [] }] }', 'dns.hosts[0].names'],
    ['dns: { hosts: [{ ip: x, names: [a] }] }', 'dns.hosts[0].ip'],
    ['dns: { forwarders: [dns.google] }', 'dns.forwarders[0]'],
    ['dns: { records: { srv: [{ name: a, target: b, port: 0 }] } }', 'dns.records.srv[0].port'],
    ['dns: { records: { mx: [] } }', 'dns.records.mx'],
    ['nat: { ports: 5-1 }', 'nat.ports'],
    ['nat: { ports: 0-70000 }', 'nat.ports'],
    ['nat: { dev: "%x" }', 'nat.dev'],
    ['links: [{ vxlan: { id: 0, peers: [198.51.100.2] } }]', 'links[0].vxlan.id'],
    ['links: [{ vxlan: { id: 16777216, peers: [198.51.100.2] } }]', 'links[0].vxlan.id'],
    ['links: [{ vxlan: { id: 1, peers: [] } }]', 'links[0].vxlan.peers'],
    ['links: [{ gre: {} }]', 'links[0].gre'],
  ])('%s', ([text, path]) => {
    expect(faultsOf(`forward: bridge\n${text}`).map((fault) => fault.path)).toContain(path);
  });

  test.for<[string, string]>([
    ['mode: nat', 'did you mean "forward"?'],
    ['range: [10.0.0.5-10.0.0.9]', 'did you mean "ranges" of DHCP (below "dhcp")?'],
    ['lease: 1h', 'did you mean "lease" of DHCP (below "dhcp")?'],
    ['adresses: []', 'did you mean "addresses"?'],
    ['dhcp: { range: [] }', 'did you mean "ranges"?'],
    ['dhcp: { static: [] }', 'did you mean "hosts"?'],
    ['dns: { upstreams: [] }', 'did you mean "forwarders"?'],
    ['colour: red', 'the keys here are description, forward, scope'],
  ])('%s: what was meant', ([text, part]) => expect(saidOf(text).join('\n')).toContain(part));

  test('of many entries are a hundred at most, and quickly told', () => {
    const hosts = Array.from({ length: 3000 }, () => '{ vm: a, ip: 10.0.0.9 }').join(', ');
    const error = errorOf(`dhcp: { hosts: [${hosts}] }`);
    expect(error?.faults.length).toBeLessThanOrEqual(100);
  });
});

describe('the scope', () => {
  test.for(['route', 'open', 'bridge', 'macvtap', 'hostdev'])('user has no forward: %s', (forward) => {
    expect(saidOf(`forward: ${forward}\nscope: user`)).toEqual([
      `1:10 forward: ${forward} takes the host's own network, which root makes: a network of scope user is nat or isolated`,
    ]);
    const card = ['macvtap', 'hostdev'].includes(forward) ? '\nbridge: { uplink: eth1 }' : '';
    expect(saidOf(`forward: ${forward}${card}`)).toEqual([]);
  });

  test('system has no transport: hub', () => {
    expect(saidOf('scope: system\ntransport: hub')[0]).toContain('and this one is of scope system');
    expect(saidOf('transport: hub', { uid: 0 })[0]).toContain('"scope: auto" is system for root');
    expect(saidOf('forward: bridge\ntransport: hub')[0]).toContain("makes this one a network of the host's");
    expect(saidOf('scope: user\ntransport: hub', { uid: 0 })).toEqual([]);
  });

  test('transport: vde is of scope user, and of system where there is a bridge', () => {
    expect(saidOf('scope: user\ntransport: vde', { uid: 0 })).toEqual([]);
    for (const mode of ['nat', 'route', 'open', 'isolated', 'bridge'])
      expect(saidOf(`scope: system\nforward: ${mode}\ntransport: vde\nports: 2\ngroup: users`)).toEqual([]);
    for (const mode of ['macvtap', 'hostdev'])
      expect(saidOf(`scope: system\nforward: ${mode}\ntransport: vde`)[0]).toContain(
        `transport vde carries networks with a bridge, and this is ${mode}`,
      );
  });
});
