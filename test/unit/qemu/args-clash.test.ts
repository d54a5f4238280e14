import { describe, expect, test } from 'vitest';
import { startsPaused, validateArgs } from '../../../src/qemu/args-clash.ts';

const faults = (...args: string[]) => validateArgs(args, { nicIds: ['net0'], machine: 'q35' });

describe('what a profile may hand on', () => {
  test.each([
    [['-device', 'virtio-rng-pci']],
    [['-device', '{"driver":"virtio-balloon-pci","id":"balloon"}']],
    [['-S']],
    [['-no-reboot', '-rtc', 'base=localtime']],
    [['-gdb', 'tcp:127.0.0.1:1234']],
    [['-gdb', 'tcp:[::1]:1234']],
    [['-gdb', 'unix:/tmp/gdb,server=on,wait=off']],
    [['-vnc', '127.0.0.1:1']],
    [['-vnc', 'unix:/tmp/v']],
    [['-spice', 'addr=127.0.0.1,port=5900,disable-ticketing=on']],
    [['-spice', 'unix=on,addr=/tmp/s']],
    [['-incoming', 'unix:/tmp/m']],
    [['-incoming', 'defer']],
    [['-machine', 'hpet=off']],
    [['-boot', 'menu=on']],
    [['-chardev', 'socket,id=agent,path=/tmp/a,server=on,wait=off']],
    [['-chardev', 'socket,id=up,host=192.0.2.1,port=7']],
    [['-blockdev', 'driver=file,node-name=x,filename=/vm/x.raw']],
    [['-blockdev', '{"driver":"qcow2","node-name":"x","file":{"driver":"file","filename":"/vm/x"}}']],
    [['-run-with', 'async-teardown=on']],
    [['-append-nothing', '-S']],
    [[]],
  ])('%j', (args) => {
    expect(faults(...args)).toEqual([]);
  });
});

describe('ABUSE 26: what qrun manages is refused, and what to write instead is said', () => {
  test.each([
    ['-netdev', 'user,id=x', 'nics:'],
    ['--netdev', 'user,id=x', 'nics:'],
    ['-nic', 'none', 'nics:'],
    ['-net', 'user', 'nics:'],
    ['-qmp', 'unix:/tmp/q', 'monitor'],
    ['-mon', 'chardev=x', 'monitor'],
    ['-monitor', 'stdio', 'monitor'],
    ['-pidfile', '/tmp/p', 'ps'],
    ['-name', 'x', '--name'],
    ['-serial', 'stdio', 'console:'],
    ['-add-fd', 'fd=4,set=1', 'descriptors'],
    ['-m', '1G', 'memory:'],
    ['-smp', '2', 'cpus:'],
    ['-accel', 'kvm', 'accel:'],
    ['-machine', 'pc', 'machine:'],
    ['-machine', 'accel=kvm', 'other keys'],
    ['-M', 'q35,hpet=off', 'machine:'],
    ['-machine', 'pflash0=x', 'other keys'],
    ['-cpu', 'host', 'cpu:'],
    ['-kernel', 'k', 'kernel:'],
    ['-boot', 'd', 'boot:'],
    ['-boot', 'once=d', 'boot:'],
    ['-runas', 'nobody', 'runAs:'],
    ['-run-with', 'user=nobody', 'runAs:'],
    ['-sandbox', 'off', 'strict'],
    ['-drive', 'file=x', 'disks:'],
    ['-hda', 'x', 'disks:'],
    ['-cdrom', 'x', 'cdrom:'],
    ['-display', 'gtk', 'display:'],
    ['-readconfig', 'x', 'cannot see'],
    ['-chardev', 'null,id=qmp', 'qrun'],
    ['-chardev', 'stdio,id=x', 'journal'],
    ['-device', 'e1000,netdev=net0', 'NIC of the profile'],
    ['-device', 'e1000,netdev=other', 'nics:'],
    ['-device', '{"driver":"e1000","netdev":"net0"}', 'NIC of the profile'],
    ['-device', 'virtio-rng-pci,id=nic-net0', 'id nic-net0'],
    ['-device', 'virtio-blk-pci,drive=disk0-image', 'disk0-image'],
    ['-device', 'isa-debugcon,chardev=console', 'console'],
    ['-device', 'virtio-rng-pci,addr=0x10', 'NICs'],
    ['-blockdev', 'driver=raw,node-name=disk0-image,file=x', 'node'],
    ['-set', 'netdev.net0.restrict=off', 'netdev'],
  ])('%s %s', (option, value, words) => {
    const [fault, ...more] = faults('-S', option, value);
    expect(fault?.index).toBe(1);
    expect(fault?.message).toContain(words);
    expect(more).toEqual([]);
  });

  test.each(['-nodefaults', '-daemonize', '-snapshot', '-enable-kvm', '-nographic', '--daemonize'])('%s', (option) => {
    expect(faults(option, '-S')).toHaveLength(1);
  });

  test('a string that is no option would be a disk', () => {
    expect(faults('-S', 'disk.img')).toEqual([{ index: 1, message: expect.stringContaining('disk') as string }]);
    expect(faults('-device', 'virtio-rng-pci', 'fat:rw:/')[0]?.index).toBe(2);
  });

  test('the value of an option hides nothing, and is no option', () => {
    expect(faults('-rtc', '-netdev', '-netdev', 'user,id=x')).toHaveLength(1);
  });

  test('every fault of a list is told', () => {
    expect(faults('-m', '1', '-smp', '2').map((fault) => fault.index)).toEqual([0, 2]);
  });

  test('an option without its value, and a NUL', () => {
    expect(faults('-device')[0]?.message).toContain('lacks');
    expect(faults('-device', 'a\0b')[0]?.message).toContain('NUL');
  });
});

describe('ABUSE 33: what listens on every address is refused', () => {
  test.each([
    ['-s'],
    ['-gdb', 'tcp::1234'],
    ['-gdb', 'tcp:0.0.0.0:1234'],
    ['-gdb', 'udp::1234'],
    ['-gdb', 'telnet::1234'],
    ['-vnc', ':1'],
    ['-vnc', '0.0.0.0:1'],
    ['-vnc', ':1,password=on'],
    ['-spice', 'port=5900,disable-ticketing=on'],
    ['-spice', 'addr=0.0.0.0,port=5900'],
    ['-incoming', 'tcp::4444'],
    ['-incoming', 'tcp:0:4444'],
    ['-incoming', 'exec:nc -l 4444'],
    ['-parallel', 'tcp::5555,server=on'],
    ['-debugcon', 'websocket::5555,server=on'],
    ['-chardev', 'socket,id=x,port=5555,server=on'],
    ['-chardev', 'socket,id=x,host=0.0.0.0,port=5555,server'],
    ['-chardev', 'udp,id=x,port=1,localport=2'],
    ['-netdev', 'socket,id=x,listen=:1'],
    ['-qmp', 'tcp::4444,server=on'],
  ])('%j', (...args) => {
    expect(faults(...args)).toHaveLength(1);
  });
});

describe('ABUSE 22: a disk protocol in the arguments is refused', () => {
  test.each([
    'driver=nbd,host=h,node-name=x',
    'driver=raw,node-name=x,file.driver=http,file.url=http://h/x',
    '{"driver":"raw","node-name":"x","file":{"driver":"vvfat","dir":"/","rw":true}}',
    '{"driver":"qcow2","node-name":"x","file":{"driver":"file","filename":"/a"},"backing":{"driver":"nbd"}}',
    'driver=file,node-name=x,filename=json:{}',
  ])('-blockdev %s', (value) => {
    expect(faults('-blockdev', value)).toHaveLength(1);
  });
});

test('-S is seen, and not where it is the value of another option', () => {
  expect(startsPaused(['-device', 'virtio-rng-pci', '-S'])).toBe(true);
  expect(startsPaused(['--S'])).toBe(true);
  expect(startsPaused(['-rtc', '-S'])).toBe(false);
});
