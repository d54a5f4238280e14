import { describe, expect, test } from 'vitest';
import { directory, errorOf, faultsOf, home, profileOf, saidOf } from './profile-text.ts';

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
