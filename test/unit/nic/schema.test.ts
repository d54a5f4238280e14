import { describe, expect, test } from 'vitest';
import { directory, faultsOf, home, profileOf, saidOf } from '../profile/profile-text.ts';

const nic = (keys: string): string => `nics: [{ ${keys} }]`;
const firstNic = (keys: string) => profileOf(nic(keys)).nics[0];

describe('a NIC', () => {
  test('has the id of its place unless it says another', () => {
    const { nics } = profileOf('nics: [user, { kind: user, id: lan }, user]');
    expect(nics.map(({ id }) => id)).toEqual(['net0', 'lan', 'net2']);
  });

  test('takes the keys of every kind', () => {
    expect(
      firstNic(
        'kind: tap, device: tap0, id: a, mac: 52-54-00-AA-BB-CC, model: e1000, queues: 4, vhost: off, mtu: 9000, bootIndex: 1',
      ),
    ).toEqual({
      kind: 'tap',
      id: 'a',
      mac: '52:54:00:aa:bb:cc',
      model: 'e1000',
      queues: 4,
      vhost: 'off',
      mtu: 9000,
      bootIndex: 1,
      device: 'tap0',
    });
  });

  test('is virtio unless it says another model', () => {
    expect(firstNic('kind: user, model: virtio')?.model).toBe('virtio-net-pci');
    expect(firstNic('kind: user, model: virtio-net-pci-non-transitional')?.model).toBe(
      'virtio-net-pci-non-transitional',
    );
    expect(faultsOf(nic('kind: user, model: "e1000,addr=3"'))).toHaveLength(1);
    expect(faultsOf(nic('kind: user, model: -x'))).toHaveLength(1);
  });

  test.each([
    ['user', { kind: 'user' }],
    ['passt', { kind: 'passt', forwards: [] }],
    ['mcast:230.0.0.1:12345', { kind: 'mcast', group: { address: '230.0.0.1', port: 12345 } }],
    ['bridge:br0', { kind: 'bridge', bridge: 'br0' }],
    ['tap:tap0', { kind: 'tap', device: 'tap0' }],
    ['macvtap:eth0', { kind: 'macvtap', parent: 'eth0', mode: 'bridge', hostAccess: false }],
    ['vde:/run/vde.ctl', { kind: 'vde', socket: '/run/vde.ctl' }],
    ['network:lan0', { kind: 'network', network: 'lan0' }],
  ])('may be %s', (word, expected) => {
    expect(profileOf(`nics: ["${word}"]`).nics).toMatchObject([{ ...expected, id: 'net0' }]);
  });

  test.each([
    ['usr', 'unknown kind of NIC "usr", did you mean "user"?'],
    ['user:x', 'nothing may stand after user in its short form'],
    ['bridge', 'the short form is bridge:BRIDGE'],
    ['stream:/x', 'stream has no short form: write a map with "kind: stream" and its keys'],
    ['tap:x,script=/e/long', '"x,script=/e/long": an interface name has 1 to 15 bytes'],
    ['', expect.stringContaining('unknown kind')],
  ])('may not be %j', (word, message) => {
    expect(faultsOf(`nics: ["${word}"]`)).toMatchObject([{ path: 'nics[0]', line: 1, column: 8, message }]);
  });

  test('says its kind', () => {
    expect(saidOf(nic('id: a'))).toEqual([
      expect.stringContaining('1:8 nics[0].kind: the key "kind" is missing: user, passt'),
    ]);
    expect(saidOf(nic('kind: 5'))).toEqual(['1:16 nics[0].kind: a kind is a word, not the number 5']);
    expect(saidOf('nics:\n  -\n')).toEqual([expect.stringContaining('nics[0]: nothing is written here')]);
    expect(saidOf('nics: [[user]]')).toEqual([expect.stringContaining('a map with "kind"')]);
    expect(saidOf('nics: user')).toEqual(['1:7 nics: a list is needed, not the text "user"']);
  });

  test.each<[string, object]>([
    ['kind: user, subnet: 192.168.76.0/24, dns: 192.168.76.3', { subnet: '192.168.76.0/24', dns: '192.168.76.3' }],
    ['kind: user, tftp: pxe, bootFile: boot.ipxe', { tftp: `${directory}/pxe`, bootFile: 'boot.ipxe' }],
    [
      'kind: user, hostname: "web1,hostfwd=tcp::1-:1", restrict: true, ipv6: false',
      { hostname: 'web1,hostfwd=tcp::1-:1', restrict: true, ipv6: false },
    ],
    [
      'kind: mcast, group: 224.0.0.0:65535, interface: eth0',
      { group: { address: '224.0.0.0', port: 65_535 }, interface: 'eth0' },
    ],
    ['kind: mcast, group: 239.255.255.255:1, interface: 192.0.2.1', { interface: '192.0.2.1' }],
    ['kind: stream, listen: ./cable.sock', { listen: { path: `${directory}/cable.sock` } }],
    ['kind: stream, connect: lab.example:5000', { connect: { host: 'lab.example', port: 5000 } }],
    ['kind: stream, listen: "[::1]:5000"', { listen: { host: '::1', port: 5000 } }],
    [
      'kind: dgram, local: 127.0.0.1:1, remote: 127.0.0.1:2',
      { local: { host: '127.0.0.1', port: 1 }, remote: { host: '127.0.0.1', port: 2 } },
    ],
    ['kind: dgram, local: /run/a, remote: ~/b', { local: { path: '/run/a' }, remote: { path: `${home}/b` } }],
    [
      'kind: l2tpv3, source: 192.0.2.1:1701, destination: 192.0.2.2:1701, sessions: { tx: 1, rx: 0xffffffff }',
      { sessions: { tx: 1, rx: 2 ** 32 - 1 } },
    ],
    [
      'kind: l2tpv3, source: 192.0.2.1:1, destination: 192.0.2.2:1, sessions: { tx: 1, rx: 2 }, cookies: { tx: 0, rx: 9 }',
      { cookies: { tx: 0, rx: 9 } },
    ],
    [
      'kind: vde, socket: /run/vde.ctl, port: 3, group: users, mode: "0660"',
      { socket: '/run/vde.ctl', port: 3, group: 'users', mode: 0o660 },
    ],
    [
      'kind: bridge, bridge: br0, helper: /usr/lib/qemu/qemu-bridge-helper',
      { bridge: 'br0', helper: '/usr/lib/qemu/qemu-bridge-helper' },
    ],
    ['kind: tap, bridge: br0', { bridge: 'br0' }],
    ['kind: macvtap, parent: eth0, mode: passthru', { mode: 'passthru', hostAccess: false }],
    ['kind: macvtap, parent: eth0, hostAccess: true', { mode: 'bridge', hostAccess: true }],
    ['kind: hostdev, address: "01:00.0"', { address: '0000:01:00.0' }],
    ['kind: hostdev, parent: eth0, vlan: 42', { parent: 'eth0', vlan: 42 }],
    ['kind: network, network: lan0', { network: 'lan0' }],
    ['kind: passt, forwards: ["auto:22"]', { forwards: [{ hostPort: 'auto', guestPort: 22 }] }],
  ])('{ %s } is taken', (keys, expected) => {
    expect(firstNic(keys)).toMatchObject(expected);
  });

  test.each<[string, string, string]>([
    ['kind: user, subnet: 10.0.2.5/24', 'subnet', 'write 10.0.2.0/24'],
    ['kind: user, subnet: 10.0.2.0/30', 'subnet', '8 to 29'],
    ['kind: user, subnet: 127.0.0.0/24', 'subnet', 'no network of hosts'],
    ['kind: user, subnet: fd00::/64', 'subnet', 'no IPv4 subnet'],
    ['kind: user, dns: 8.8.8.8', 'dns', 'outside of the guest'],
    ['kind: user, dns: 1', 'dns', 'a text is needed'],
    ['kind: user, forwards: ["127.0.0.1:80:web2:80"]', 'forwards[0]', 'is no address'],
    ['kind: user, forwards: "80:80"', 'forwards', 'a list is needed'],
    ['kind: user, queues: 2', 'queues', 'one pair of queues'],
    ['kind: user, vhost: on', 'vhost', 'vhost works on taps'],
    ['kind: user, vhost: true', 'vhost', 'the truth value true is not one of auto, on or off'],
    ['kind: user, mtu: 20', 'mtu', '20 is too small: at least 68'],
    ['kind: user, bootIndex: -1', 'bootIndex', 'too small'],
    ['kind: user, queues: 1.5', 'queues', 'a whole number is needed'],
    ['kind: user, tftp: http://x', 'tftp', 'names a protocol'],
    ['kind: mcast, group: 10.0.0.1:5', 'group', 'no multicast address'],
    ['kind: mcast, group: 230.0.0.1', 'group', 'not an address and a port'],
    ['kind: mcast, group: 230.0.0.1:0', 'group', 'no port'],
    ['kind: mcast, group: "ff02::1:80"', 'group', 'in brackets'],
    ['kind: mcast, group: 240.0.0.1:5', 'group', 'no multicast address'],
    ['kind: mcast, group: "[ff02::4242]:5000"', 'group', 'IPv4 alone'],
    ['kind: mcast, group: 230.0.0.1:1, interface: "a b"', 'interface', 'no blanks'],
    ['kind: mcast, group: 230.0.0.1:1, interface: "fd00::1"', 'interface', 'IPv4 alone'],
    ['kind: mcast, group: 230.0.0.1:1, interface: 0.0.0.0', 'interface', 'no address of an interface'],
    ['kind: mcast, group: 230.0.0.1:1, interface: 230.0.0.1', 'interface', 'no address of an interface'],
    ['kind: stream, listen: :5000', 'listen', 'every address'],
    ['kind: stream, listen: lab.example:5000', 'listen', 'takes an address of this host'],
    ['kind: stream, listen: cable', 'listen', 'write ./cable'],
    ['kind: stream, listen: 127.0.0.1:0', 'listen', 'no port'],
    [`kind: stream, listen: /${'x'.repeat(107)}`, 'listen', 'at most 107 bytes'],
    ['kind: stream, listen: /a, connect: /b', 'connect', 'not both'],
    ['kind: dgram, local: 127.0.0.1:1', 'remote', 'is missing'],
    [`kind: dgram, local: /a, remote: /${'x'.repeat(107)}`, 'remote', 'at most 107 bytes'],
    ['kind: dgram, local: ./x/../a, remote: ./a', 'remote', 'the same'],
    ['kind: dgram, local: 127.0.0.1:1, remote: 127.0.0.1:1', 'remote', 'the same'],
    ['kind: dgram, local: "[::1]:1", remote: 127.0.0.1:2', 'local', 'IPv4 alone'],
    ['kind: dgram, local: 127.0.0.1:1, remote: 230.0.0.1:2', 'remote', 'kind: mcast'],
    ['kind: dgram, local: localhost:1, remote: 127.0.0.1:2', 'local', 'takes an address of this host'],
    ['kind: dgram, local: /a, remote: 127.0.0.1:1', 'remote', 'both ends'],
    ['kind: dgram, local: /a, remote: /a', 'remote', 'the same'],
    ['kind: l2tpv3, source: 1:1, destination: 192.0.2.2:1, sessions: { tx: 1, rx: 1 }', 'source', 'no IPv4 address'],
    ['kind: l2tpv3, source: 192.0.2.1:1, destination: 192.0.2.2:1, sessions: { tx: 1 }', 'sessions.rx', 'is missing'],
    ['kind: l2tpv3, source: a.b:1, destination: 192.0.2.2:1, sessions: { tx: 1, rx: 1 }', 'source', 'is no address'],
    [
      'kind: l2tpv3, source: 192.0.2.1:1, destination: 192.0.2.1:1, sessions: { tx: 1, rx: 1 }',
      'destination',
      'the same',
    ],
    ['kind: l2tpv3, source: "[::1]:1", destination: 192.0.2.1:1, sessions: { tx: 1, rx: 1 }', 'destination', 'IPv6'],
    ['kind: l2tpv3, source: 1.2.3.4:0, destination: 192.0.2.1:1, sessions: { tx: 1, rx: 1 }', 'source', 'no port'],
    [
      'kind: l2tpv3, source: 1.2.3.4:1, destination: 192.0.2.1:1, sessions: { tx: 0, rx: 1 }',
      'sessions.tx',
      'too small',
    ],
    ['kind: passt, forwards: ["127.0.0.1:8080:web1:80"]', 'forwards[0]', 'to the guest itself'],
    ['kind: passt, forwards: ["22:22", "127.0.0.1:8080:10.0.2.20:80"]', 'forwards[1]', 'to the guest itself'],
    ['kind: vde, socket: /x, port: 010', 'port', 'begins with a zero'],
    ['kind: vde, socket: /x, mode: 660', 'mode', 'quote it, "660"'],
    ['kind: vde, socket: /x, mode: "0888"', 'mode', 'are no rights'],
    ['kind: bridge, bridge: "..", helper: /x', 'bridge', 'no interface name'],
    ['kind: macvtap, parent: interface-too-long', 'parent', '1 to 15 bytes'],
    ['kind: hostdev, address: eth0', 'address', 'no PCI address'],
    ['kind: hostdev, address: "01:00.0", vlan: 1', 'vlan', 'name its parent'],
    ['kind: hostdev, address: "01:00.0", parent: eth0', 'parent', 'not both'],
    ['kind: hostdev, address: "01:00.0", model: e1000', 'model', 'the card itself'],
    ['kind: hostdev, address: "01:00.0", mtu: 9000', 'mtu', 'the card itself'],
    ['kind: hostdev, address: "01:00.0", queues: 2', 'queues', 'one pair of queues'],
    ['kind: hostdev, address: "01:00.0", vhost: on', 'vhost', 'vhost works on taps'],
    ['kind: network, network: ../x', 'network', 'no name of a network'],
  ])('{ %s } has a fault', (keys, path, message) => {
    expect(faultsOf(nic(keys))).toMatchObject([{ path: `nics[0].${path}`, message: expect.stringContaining(message) }]);
  });

  test('of kind stream has one end, a tap a device or a bridge, a hostdev a device', () => {
    expect(saidOf(nic('kind: stream'))).toEqual(['1:8 nics[0]: a stream needs "listen" or "connect"']);
    expect(saidOf(nic('kind: stream, listen: /a, connect: /b'))).toEqual([
      expect.stringContaining('nics[0].connect: either listen or connect, not both'),
    ]);
    expect(saidOf(nic('kind: tap'))).toEqual(['1:8 nics[0]: a tap needs "device", "bridge" or both']);
    expect(saidOf(nic('kind: hostdev'))).toEqual(['1:8 nics[0]: a hostdev needs "address" or "parent"']);
  });

  test('has a socket path that fits: 107 bytes, with the switch its own file besides', () => {
    const path = (bytes: number): string => `/${'x'.repeat(bytes - 1)}`;
    expect(faultsOf(nic(`kind: stream, listen: ${path(107)}`))).toEqual([]);
    expect(faultsOf(nic(`kind: stream, listen: ${path(108)}`))).toHaveLength(1);
    expect(faultsOf(nic(`kind: vde, socket: ${path(103)}`))).toEqual([]);
    expect(faultsOf(nic(`kind: vde, socket: ${path(104)}`))).toHaveLength(1);
    expect(faultsOf(nic(`kind: stream, listen: /${'ü'.repeat(54)}`))).toHaveLength(1);
  });

  test('shares no id and no place in the boot order', () => {
    const twice = 'nics:\n  - { kind: user, id: a, bootIndex: 1 }\n  - { kind: user, id: a, bootIndex: 1 }\n';
    expect(saidOf(twice)).toEqual([
      '3:23 nics[1].id: the id a is that of nics[0] on line 2 already',
      '3:37 nics[1].bootIndex: the bootIndex 1 is that of nics[0] on line 2 already',
    ]);
    expect(saidOf('nics:\n  - { kind: user, id: net1 }\n  - user\n')).toEqual([
      '3:5 nics[1]: the id net1 is that of nics[0] on line 2 already',
    ]);
  });

  test('shares no port of the host', () => {
    expect(
      saidOf('nics:\n- kind: user\n  forwards: ["80:80"]\n- kind: user\n  forwards: ["80:81", "80:80/udp"]\n'),
    ).toEqual(['5:14 nics[1].forwards[0]: port 80 is taken by 80:80 on line 3 already']);
    expect(faultsOf(nic('kind: user, forwards: ["80:80", "0.0.0.0:80:80"]'))).toHaveLength(1);
    expect(
      faultsOf(nic('kind: user, forwards: ["80:80", "127.0.0.2:80:80", "auto:1", "auto:1", "[::]:80:80"]')),
    ).toEqual([]);
  });
});
