import { describe, expect, test } from 'vitest';
import { directory, errorOf, faultsOf, home, profileOf, saidOf } from './profile-text.ts';

const nic = (keys: string): string => `nics: [{ ${keys} }]`;
const firstNic = (keys: string) => profileOf(nic(keys)).nics[0];

describe('a profile', () => {
  test('has a default for everything', () => {
    expect(profileOf('{}')).toEqual({
      name: 'web1',
      file: `${directory}/web1.yaml`,
      cpus: { sockets: 1, cores: 1, threads: 1 },
      memoryMib: 512,
      accel: 'auto',
      machine: 'q35',
      firmware: 'bios',
      disks: [],
      boot: { order: ['disk', 'cdrom', 'network'] },
      display: 'none',
      console: 'stdio',
      nics: [
        {
          kind: 'user',
          id: 'net0',
          model: 'virtio-net-pci',
          queues: 1,
          vhost: 'auto',
          forwards: [],
          restrict: false,
          ipv6: true,
        },
      ],
      ephemeral: false,
      shutdown: { timeoutS: 60 },
      hooks: {},
      args: [],
    });
  });

  test('may say everything', () => {
    const profile = profileOf(`
description: web server
cpus: { sockets: 1, cores: 2, threads: 2 }
memory: 1G
accel: kvm
machine: pc
cpu: host,-vmx
firmware: uefi
kernel: vmlinuz
initrd: ../initrd.gz
append: console=ttyS0 quiet
cdrom: ~/debian.iso
boot: { order: [cdrom, disk], once: network }
display: vnc
console: none
nics: []
ephemeral: true
shutdown: { timeout: 0 }
hooks: { beforeStart: [./up.sh, web 1], afterStop: [/usr/bin/logger] }
runAs: qrun
args: ["-device", "virtio-rng-pci"]
`);
    expect(profile).toMatchObject({
      description: 'web server',
      cpus: { sockets: 1, cores: 2, threads: 2 },
      memoryMib: 1024,
      accel: 'kvm',
      machine: 'pc',
      cpu: 'host,-vmx',
      firmware: 'uefi',
      kernel: `${directory}/vmlinuz`,
      initrd: '/srv/initrd.gz',
      append: 'console=ttyS0 quiet',
      cdrom: `${home}/debian.iso`,
      boot: { order: ['cdrom', 'disk'], once: 'network' },
      display: 'vnc',
      console: 'none',
      nics: [],
      ephemeral: true,
      shutdown: { timeoutS: 0 },
      hooks: { beforeStart: [`${directory}/up.sh`, 'web 1'], afterStop: ['/usr/bin/logger'] },
      runAs: 'qrun',
      args: ['-device', 'virtio-rng-pci'],
    });
  });

  test('counts CPUs by number or by layout', () => {
    expect(profileOf('cpus: 4').cpus).toEqual({ sockets: 1, cores: 4, threads: 1 });
    expect(profileOf('cpus: { sockets: 2 }').cpus).toEqual({ sockets: 2, cores: 1, threads: 1 });
    expect(saidOf('cpus: 1.5')).toEqual(['1:7 cpus: a whole number is needed, not the number 1.5']);
    expect(saidOf('cpus: "2"')).toEqual(['1:7 cpus: a number or a map is needed, not the text "2": remove the quotes']);
    expect(saidOf('cpus: { sockets: 64, cores: 64 }')).toEqual(['1:7 cpus: 4096 CPUs are too many: at most 1024']);
  });

  test.each([
    ['512', 512],
    ['"512"', 512],
    ['1G', 1024],
    ['1g', 1024],
    ['1.5G', 1536],
    ['262144K', 256],
    ['1T', 1024 * 1024],
  ])('memory: %s is %d MiB', (text, expected) => {
    expect(profileOf(`memory: ${text}`).memoryMib).toBe(expected);
  });

  test.each([
    'lots',
    '1GiB',
    '1GB',
    '512K',
    '0',
    '-1',
    '1.5',
    '1e9',
    '17T',
    '.nan',
    '.inf',
    '1 G',
    'true',
    '[1]',
    '0x',
    '""',
  ])('memory: %s is a fault', (text) => {
    expect(faultsOf(`memory: ${text}`)).toMatchObject([{ path: 'memory', line: 1, column: 9 }]);
  });

  test('boots from each device once', () => {
    expect(profileOf('boot: [network]').boot).toEqual({ order: ['network'] });
    expect(profileOf('boot: { once: cdrom }').boot).toEqual({ order: ['disk', 'cdrom', 'network'], once: 'cdrom' });
    expect(saidOf('boot: [disk, disk]')).toEqual(['1:7 boot: a device stands here twice']);
    expect(saidOf('boot: []')).toEqual(['1:7 boot: the list is empty']);
  });

  test('has an initrd and a command line only with a kernel', () => {
    expect(saidOf('initrd: x\nappend: y')).toEqual([
      '1:1 initrd: initrd belongs to a kernel, and there is none',
      '2:1 append: append belongs to a kernel, and there is none',
    ]);
  });

  test('begins a hook with a path', () => {
    expect(saidOf('hooks: { beforeStart: [logger] }')).toEqual([
      '1:23 hooks.beforeStart: a hook begins with the path of a program: absolute, or with ./ in front',
    ]);
    expect(faultsOf('hooks: { beforeStart: [] }')).toHaveLength(1);
    expect(faultsOf('hooks: { afterstop: [/x] }')).toMatchObject([{ message: expect.stringContaining('"afterStop"') }]);
  });

  test('never has QEMU run as root', () => {
    expect(saidOf('runAs: root')).toEqual(['1:8 runAs: QEMU never runs as root: name another user, or remove the key']);
    expect(faultsOf('runAs: 0')).toHaveLength(1);
    expect(faultsOf('runAs: "0"')).toHaveLength(1);
    expect(faultsOf('runAs: a b')).toHaveLength(1);
  });

  test('takes a machine and a CPU by name, without options of another kind', () => {
    expect(faultsOf('machine: q35,accel=kvm')).toHaveLength(1);
    expect(faultsOf('machine: -x')).toHaveLength(1);
    expect(faultsOf('cpu: max,,x')).toHaveLength(1);
    expect(profileOf('cpu: qemu64,+ssse3,pmu=off').cpu).toBe('qemu64,+ssse3,pmu=off');
  });

  test('is a map', () => {
    expect(saidOf('')).toEqual(['1:1 : the file is empty']);
    expect(saidOf('# nothing\n')).toHaveLength(1);
    expect(saidOf('- a')).toEqual(['1:1 : a profile is a map of keys and values, not a list']);
    expect(saidOf('web1')).toHaveLength(1);
    expect(saidOf('~')).toHaveLength(1);
  });

  test('has a value for every key that it has', () => {
    const message = 'nothing is written here: give a value, or remove the key';
    expect(faultsOf('memory:\nnics:\ncdrom: ~\n')).toMatchObject([
      { line: 1, path: 'memory', message },
      { line: 2, path: 'nics', message },
      { line: 3, path: 'cdrom', message },
    ]);
  });
});

describe('faults', () => {
  const text = `memory: lots
accel: KVM
nics:
  - kind: user
    mac: 52:54:00:12:34
    hostfw: ["2222:22"]
  - kind: mcast
disks:
  - { file: a.img, size: 20 }
`;

  test('come all at once, in the order of the file', () => {
    expect(saidOf(text)).toEqual([
      '1:9 memory: "lots" is no size: a number of MiB, or with K, M, G or T, such as 512M',
      '2:8 accel: "KVM" is not one of auto, kvm or tcg, did you mean "kvm"?',
      '5:10 nics[0].mac: "52:54:00:12:34": not a MAC address: six pairs of hex digits with colons, such as 52:54:00:12:ab:cd',
      '6:5 nics[0].hostfw: unknown key "hostfw", did you mean "forwards"?',
      '7:5 nics[1].group: the key "group" is missing',
      '9:26 disks[0].size: a text is needed, not the number 20: it needs a unit, such as 20G',
    ]);
  });

  test('carry the file, the source line and how much of it is meant', () => {
    expect(faultsOf(text)[2]).toEqual({
      file: `${directory}/web1.yaml`,
      line: 5,
      column: 10,
      path: 'nics[0].mac',
      message: expect.any(String),
      source: '    mac: 52:54:00:12:34',
      width: 14,
    });
  });

  test('are counted in the message', () => {
    expect(errorOf(text)?.message).toBe('web1.yaml is no valid profile: it has 6 faults');
    expect(errorOf('memory: lots')?.message).toBe('web1.yaml is no valid profile: it has a fault');
  });

  test('keep to their lines with Windows line ends, a byte order mark and characters of two units', () => {
    expect(faultsOf('\ufeffcpus: 1\r\nmemory: lots\r\n')).toMatchObject([
      { line: 2, column: 9, source: 'memory: lots' },
    ]);
    expect(faultsOf('\ufeffmemory: lots')).toMatchObject([{ line: 1, width: 4 }]);
    expect(faultsOf('description: "😀"\nmemory: lots')).toMatchObject([{ line: 2, column: 9 }]);
  });

  test('of a value over many lines are under its first', () => {
    expect(faultsOf('cpus:\n  - 1\n  - 2\n')).toMatchObject([{ line: 2, column: 3, source: '  - 1', width: 3 }]);
  });

  test('are no more than a person reads', () => {
    const many = Array.from({ length: 5000 }, (_, index) => `key${index}: 1`).join('\n');
    const error = errorOf(many);
    expect(error?.faults).toHaveLength(100);
    expect(error?.message).toContain('5000 faults');
  });
});

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
      'kind: mcast, group: "[ff02::4242]:5000", interface: eth0',
      { group: { address: 'ff02::4242', port: 5000 }, interface: 'eth0' },
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
    ['kind: macvtap, parent: eth0, mode: passthru, hostAccess: true', { mode: 'passthru', hostAccess: true }],
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
    ['kind: mcast, group: 230.0.0.1:1, interface: "a b"', 'interface', 'no blanks'],
    ['kind: stream, listen: :5000', 'listen', 'every address'],
    ['kind: stream, listen: lab.example:5000', 'listen', 'takes an address of this host'],
    ['kind: stream, listen: cable', 'listen', 'write ./cable'],
    ['kind: dgram, local: 127.0.0.1:1', 'remote', 'is missing'],
    ['kind: dgram, local: /a, remote: 127.0.0.1:1', 'remote', 'both ends'],
    ['kind: dgram, local: /a, remote: /a', 'remote', 'the same'],
    ['kind: l2tpv3, source: 1:1, destination: 192.0.2.2:1, sessions: { tx: 1, rx: 1 }', 'source', 'no IPv4 address'],
    ['kind: l2tpv3, source: 192.0.2.1:1, destination: 192.0.2.2:1, sessions: { tx: 1 }', 'sessions.rx', 'is missing'],
    ['kind: vde, socket: /x, port: 010', 'port', 'begins with a zero'],
    ['kind: vde, socket: /x, mode: 660', 'mode', 'quote it, "660"'],
    ['kind: vde, socket: /x, mode: "0888"', 'mode', 'are no rights'],
    ['kind: bridge, bridge: "..", helper: /x', 'bridge', 'no interface name'],
    ['kind: macvtap, parent: interface-too-long', 'parent', '1 to 15 bytes'],
    ['kind: hostdev, address: eth0', 'address', 'no PCI address'],
    ['kind: hostdev, address: "01:00.0", vlan: 1', 'vlan', 'name its parent'],
    ['kind: hostdev, address: "01:00.0", parent: eth0', 'parent', 'not both'],
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

describe('a disk', () => {
  const disk = (keys: string) => profileOf(`disks: [${keys}]`).disks[0];

  test.each([
    ['a.qcow2', 'qcow2'],
    ['a.img', 'raw'],
    ['a.raw', 'raw'],
    ['a.VMDK', 'vmdk'],
    ['a.vdi', 'vdi'],
    ['a.vhdx', 'vhdx'],
    ['{ file: a, format: vdi }', 'vdi'],
    ['{ file: a.img, format: qcow2 }', 'qcow2'],
  ])('%s is %s', (keys, format) => {
    expect(disk(keys)).toMatchObject({ format, readOnly: false });
  });

  test('says everything else in words too', () => {
    expect(disk('{ file: sub/a.qcow2, size: 1.5G, base: ../b.img, readOnly: true }')).toEqual({
      file: `${directory}/sub/a.qcow2`,
      written: 'sub/a.qcow2',
      format: 'qcow2',
      sizeBytes: 1.5 * 1024 ** 3,
      base: '/srv/b.img',
      readOnly: true,
    });
  });

  test('from a CD is read-only unless it says otherwise', () => {
    expect(disk('x.iso')).toMatchObject({ format: 'raw', readOnly: true });
    expect(disk('{ file: x.iso, readOnly: false }')).toMatchObject({ readOnly: false });
  });

  test('tells its format, for none is ever probed', () => {
    const message = 'the name "disk" does not tell the format: state "format: qcow2" or "format: raw"';
    expect(saidOf('disks: [disk]')).toEqual([`1:9 disks[0]: ${message}`]);
    expect(saidOf('disks: [{ file: disk, size: 1G }]')).toEqual([`1:17 disks[0].file: ${message}`]);
  });

  test('is qcow2 when it has a base, and no other disk', () => {
    expect(saidOf('disks: [{ file: a.img, base: b.qcow2 }]')).toEqual([
      '1:30 disks[0].base: an overlay of a base is qcow2, and this disk is raw',
    ]);
    expect(saidOf('disks:\n  - a.qcow2\n  - ./a.qcow2\n')).toEqual([
      '3:5 disks[1]: this is the file of disks[0] already',
    ]);
  });

  test.each(['20', '20GB', '0G', '1', '-1G', '1e3G', '9999999T', '0.1K'])('has no size of %s', (size) => {
    expect(faultsOf(`disks: [{ file: a.img, size: ${size} }]`)).toMatchObject([{ path: 'disks[0].size' }]);
  });

  test('cannot lie in somebody else’s home, nor in one that is not known', () => {
    expect(faultsOf('disks: [~root/a.img]')).toHaveLength(1);
    expect(profileOf('disks: [~/a.img]').disks[0]?.file).toBe(`${home}/a.img`);
  });
});
