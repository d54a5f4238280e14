import { describe, expect, test } from 'vitest';
import type { VmName } from '../../../../src/names.ts';
import { buildArgv } from '../../../../src/qemu/argv/build.ts';
import { buildMonitorInput } from '../../../../src/qemu/argv/monitor.ts';
import { planSandbox } from '../../../../src/qemu/argv/sandbox.ts';
import { aPlannedNic, aProfile, anInput, capabilitiesOf, deviceOf, valuesOf } from '../a-profile.ts';

const disk = { file: '/vm/web1.qcow2', format: 'qcow2', readOnly: false } as const;

describe('the whole command line', () => {
  test('on 7.2, with a disk, a CD-ROM and a NIC', () => {
    const input = anInput({ disks: [disk], nics: [aPlannedNic()], profile: aProfile({ cdrom: '/iso/a.iso' }) });
    expect(buildArgv(input)).toMatchInlineSnapshot(`
      [
        "-nodefaults",
        "-no-user-config",
        "-name",
        "guest=web1",
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-machine",
        "q35,graphics=off",
        "-accel",
        "tcg",
        "-cpu",
        "max",
        "-smp",
        "cpus=2,sockets=1,cores=2,threads=1",
        "-m",
        "512M",
        "-display",
        "none",
        "-chardev",
        "stdio,id=events,signal=off",
        "-mon",
        "chardev=events,mode=control",
        "-chardev",
        "socket,id=qmp,path=/run/web1/qmp,server=on,wait=off",
        "-mon",
        "chardev=qmp,mode=control",
        "-add-fd",
        "fd=4,set=1",
        "-chardev",
        "socket,id=console,path=/run/web1/console,server=on,wait=off,logfile=/dev/fdset/1,logappend=on",
        "-device",
        "{"driver":"isa-serial","id":"serial0","chardev":"console"}",
        "-blockdev",
        "{"driver":"file","node-name":"disk0-image-file","filename":"/vm/web1.qcow2","read-only":false,"discard":"unmap"}",
        "-blockdev",
        "{"driver":"qcow2","node-name":"disk0-image","file":"disk0-image-file","read-only":false,"discard":"unmap","backing":null}",
        "-device",
        "{"driver":"virtio-blk-pci","id":"disk0","drive":"disk0-image","bootindex":1,"addr":"0x4"}",
        "-blockdev",
        "{"driver":"file","node-name":"cdrom0-image-file","filename":"/iso/a.iso","read-only":true}",
        "-blockdev",
        "{"driver":"raw","node-name":"cdrom0-image","file":"cdrom0-image-file","read-only":true}",
        "-device",
        "{"driver":"ide-cd","bus":"ide.1","id":"cdrom0","drive":"cdrom0-image","bootindex":2}",
        "-netdev",
        "{"type":"user","id":"net0","net":"10.0.2.0/24","host":"10.0.2.2","dns":"10.0.2.3","dhcpstart":"10.0.2.15"}",
        "-device",
        "{"driver":"virtio-net-pci","id":"nic-net0","netdev":"net0","mac":"52:54:00:aa:bb:cc","addr":"0x10","romfile":""}",
      ]
    `);
  });

  test('on 6.2, where a back end is told in keyval', () => {
    const input = anInput({ capabilities: capabilitiesOf('6.2'), nics: [aPlannedNic({ hostname: 'a,b' })] });
    expect(valuesOf(buildArgv(input), '-netdev')).toEqual([
      'user,id=net0,net=10.0.2.0/24,host=10.0.2.2,dns=10.0.2.3,dhcpstart=10.0.2.15,hostname=a,,b',
    ]);
    expect(deviceOf(buildArgv(input), 'nic-net0')['mac']).toBe('52:54:00:aa:bb:cc');
  });

  test('before 6.2 a device is told in keyval as well', () => {
    const capabilities = { ...capabilitiesOf('6.2'), version: { major: 6, minor: 1, micro: 0 } };
    const argv = buildArgv(anInput({ capabilities, nics: [aPlannedNic()] }));
    expect(valuesOf(argv, '-device')).toContain(
      'virtio-net-pci,id=nic-net0,netdev=net0,mac=52:54:00:aa:bb:cc,addr=0x10,romfile=',
    );
  });

  test('the arguments of the profile come last', () => {
    const argv = buildArgv(anInput({ extraArgs: ['-device', 'virtio-rng-pci'] }));
    expect(argv.slice(-2)).toEqual(['-device', 'virtio-rng-pci']);
  });

  test('the name cannot begin an option of its own', () => {
    const argv = buildArgv(anInput({ profile: aProfile({ name: 'a,process=x' as VmName }) }));
    expect(valuesOf(argv, '-name')).toEqual(['guest=a,,process=x']);
  });
});

describe('machine', () => {
  test('the CPU is the host under KVM and max under TCG, unless the profile says', () => {
    expect(valuesOf(buildArgv(anInput({ accel: 'kvm' })), '-cpu')).toEqual(['host']);
    expect(valuesOf(buildArgv(anInput({ accel: 'tcg' })), '-cpu')).toEqual(['max']);
    expect(valuesOf(buildArgv(anInput({ profile: aProfile({ cpu: 'qemu64' }) })), '-cpu')).toEqual(['qemu64']);
  });

  test('a microvm has no PCI: devices are virtio-mmio, and have no address', () => {
    const argv = buildArgv(
      anInput({ profile: aProfile({ machine: 'microvm' }), disks: [disk], nics: [aPlannedNic()] }),
    );
    expect(deviceOf(argv, 'disk0')).toEqual({
      driver: 'virtio-blk-device',
      id: 'disk0',
      drive: 'disk0-image',
      bootindex: 1,
    });
    expect(deviceOf(argv, 'nic-net0')).toEqual({
      driver: 'virtio-net-device',
      id: 'nic-net0',
      netdev: 'net0',
      mac: '52:54:00:aa:bb:cc',
    });
  });

  test('a machine without an ISA bus gets its console by -serial', () => {
    const argv = buildArgv(anInput({ profile: aProfile({ machine: 'virt' }) }));
    expect(valuesOf(argv, '-serial')).toEqual(['chardev:console']);
  });

  test('UEFI is two flash chips: the code read-only, the variables not', () => {
    const argv = buildArgv(anInput({ uefi: { code: '/fw/code.fd', vars: '/vm/vars.fd' } }));
    expect(valuesOf(argv, '-machine')).toEqual(['q35,graphics=off,pflash0=uefi-code,pflash1=uefi-vars']);
    const nodes = valuesOf(argv, '-blockdev').map((value) => JSON.parse(value) as Record<string, unknown>);
    expect(nodes.map((node) => [node['node-name'], node['read-only']])).toEqual([
      ['uefi-code-file', true],
      ['uefi-code', true],
      ['uefi-vars-file', false],
      ['uefi-vars', false],
    ]);
  });
});

describe('disks', () => {
  const nodesOf = (argv: readonly string[]) =>
    valuesOf(argv, '-blockdev').map((value) => JSON.parse(value) as Record<string, unknown>);

  test('an overlay names its whole chain; an image without a base may have none', () => {
    const base = { file: '/vm/base.qcow2', format: 'qcow2' } as const;
    const argv = buildArgv(
      anInput({ disks: [{ ...disk, backing: [base, { file: '/vm/root.raw', format: 'raw' }] }, disk] }),
    );
    const byName = new Map(nodesOf(argv).map((node) => [node['node-name'], node]));
    expect(byName.get('disk0-image')?.['backing']).toBe('disk0-image-base');
    expect(byName.get('disk0-image-base')?.['backing']).toBe('disk0-image-base-base');
    expect(byName.get('disk0-image-base-base')).toEqual({
      driver: 'raw',
      'node-name': 'disk0-image-base-base',
      file: 'disk0-image-base-base-file',
      'read-only': true,
    });
    expect(byName.get('disk1-image')?.['backing']).toBeNull();
  });

  test('ABUSE 21: a path with commas, colons, blanks or a dash is the name of a file', () => {
    for (const file of ['/vm/a,b=c', '/vm/a b', '/vm/nbd:host:1', '/vm/-x', '/vm/json:{}']) {
      const argv = buildArgv(anInput({ disks: [{ ...disk, file }] }));
      expect(nodesOf(argv)[0]).toMatchObject({ driver: 'file', filename: file });
    }
  });

  test.each(['/vm/a\nb', 'relative', '-x', 'json:{"driver":"file"}', 'fat:rw:/', 'nbd:localhost:1', '/vm/\u0000'])(
    'ABUSE 21, 22: %j is refused',
    (file) => {
      expect(() => buildArgv(anInput({ disks: [{ ...disk, file }] }))).toThrow(/no absolute path/);
    },
  );

  test('more disks than pinned places are left to QEMU', () => {
    const argv = buildArgv(anInput({ disks: Array.from({ length: 12 }, () => disk) }));
    expect(deviceOf(argv, 'disk10')['addr']).toBe('0xe');
    expect(deviceOf(argv, 'disk11')['addr']).toBeUndefined();
  });
});

describe('boot', () => {
  const input = anInput({
    disks: [disk],
    profile: aProfile({ cdrom: '/iso/a.iso', boot: { order: ['disk', 'cdrom', 'network'] } }),
    nics: [aPlannedNic()],
  });
  const indexesOf = (changed: typeof input) =>
    ['disk0', 'cdrom0', 'nic-net0'].map((id) => deviceOf(buildArgv(changed), id)['bootindex']);

  test('the order becomes boot indexes, and the boot ROM of the NIC is kept', () => {
    expect(indexesOf(input)).toEqual([1, 2, 3]);
    expect(deviceOf(buildArgv(input), 'nic-net0')).not.toHaveProperty('romfile');
  });

  test('without the network in the order a NIC has no boot ROM', () => {
    const without = { ...input, profile: { ...input.profile, boot: { order: ['disk'] } } } as const;
    expect(indexesOf(without)).toEqual([1, undefined, undefined]);
    expect(deviceOf(buildArgv(without), 'nic-net0')['romfile']).toBe('');
  });

  test('an index of the NIC itself wins, and nobody else gets it', () => {
    expect(indexesOf({ ...input, nics: [aPlannedNic({ bootIndex: 1 })] })).toEqual([2, 3, 1]);
  });

  test('once comes first, and the monitor is told the order that counts afterwards', () => {
    const boot = { order: ['disk', 'cdrom'], once: 'cdrom' } as const;
    const once = { ...input, profile: { ...input.profile, boot } };
    expect(indexesOf(once)).toEqual([2, 1, undefined]);
    const commands = buildMonitorInput(once)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(commands).toEqual([
      { execute: 'qmp_capabilities' },
      { execute: 'query-status', id: 'status' },
      {
        execute: 'qom-set',
        id: 'boot',
        arguments: { path: '/machine/peripheral/cdrom0', property: 'bootindex', value: 3 },
      },
    ]);
  });

  test('what is booted once and is not in the order is not booted again', () => {
    const boot = { order: ['disk'], once: 'network' } as const;
    const once = { ...input, profile: { ...input.profile, boot } };
    expect(buildMonitorInput(once)).toContain(
      '"path":"/machine/peripheral/nic-net0","property":"bootindex","value":-1',
    );
    expect(deviceOf(buildArgv(once), 'nic-net0')).not.toHaveProperty('romfile');
  });

  test('a kernel of the host is booted whatever the devices say', () => {
    const direct = { ...input, profile: { ...input.profile, kernel: '/boot/k', initrd: '/boot/i', append: 'a=b,c' } };
    expect(indexesOf(direct)).toEqual([undefined, undefined, undefined]);
    expect(valuesOf(buildArgv(direct), '-append')).toEqual(['a=b,c']);
  });
});

describe('nics', () => {
  test('the address follows from the slot', () => {
    const argv = buildArgv(anInput({ nics: [aPlannedNic({ id: 'a' }, 3), aPlannedNic({ id: 'b' }, 14)] }));
    expect(deviceOf(argv, 'nic-a')['addr']).toBe('0x13');
    expect(deviceOf(argv, 'nic-b')['addr']).toBe('0x1e');
    expect(() => buildArgv(anInput({ nics: [aPlannedNic({}, 15)] }))).toThrow(/15 NICs/);
  });

  test('an MTU is told to the guest by virtio alone', () => {
    expect(deviceOf(buildArgv(anInput({ nics: [aPlannedNic({ mtu: 1400 })] })), 'nic-net0')['host_mtu']).toBe(1400);
    expect(() => buildArgv(anInput({ nics: [aPlannedNic({ mtu: 1400, model: 'e1000' })] }))).toThrow(/mtu/);
  });

  test('several queues need virtio', () => {
    const nic = aPlannedNic();
    const many = (model: string) => anInput({ nics: [{ ...nic, nic: { ...nic.nic, queues: 2, model } }] });
    expect(deviceOf(buildArgv(many('virtio-net-pci')), 'nic-net0')).toMatchObject({ mq: true, vectors: 6 });
    expect(() => buildArgv(many('e1000'))).toThrow(/queues/);
  });
});

describe('display', () => {
  test('ABUSE 32: VNC is a socket of the user', () => {
    const sockets = { qmp: '/q', console: '/c', vnc: '/run/a,b/vnc' };
    const argv = buildArgv(anInput({ display: 'vnc', sockets }));
    expect(valuesOf(argv, '-vnc')).toEqual(['unix:/run/a,,b/vnc']);
    expect(deviceOf(argv, 'vga0')['driver']).toBe('VGA');
  });

  test('a window has a screen, a tablet and a keyboard', () => {
    const argv = buildArgv(anInput({ display: 'gtk' }));
    expect(valuesOf(argv, '-display')).toEqual(['gtk']);
    expect(deviceOf(argv, 'tablet0')['bus']).toBe('usb0.0');
    expect(valuesOf(argv, '-machine')).toEqual(['q35']);
  });
});

describe('sandbox', () => {
  test('everything is denied when nothing must be started', () => {
    expect(planSandbox(anInput())).toEqual({
      args: ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    });
  });

  test('a display that starts a program weakens it, and that is said', () => {
    const plan = planSandbox(anInput({ display: 'spice-app' }));
    expect(plan.args[1]).toContain('spawn=allow');
    expect(plan.note).toContain('display spice-app (the viewer)');
  });

  test('a window without a session bus would be ended by the filter: its libraries start one', () => {
    expect(planSandbox(anInput({ display: 'gtk' })).args[1]).toContain('spawn=allow');
    expect(planSandbox(anInput({ display: 'gtk' })).note).toContain('display gtk');
    expect(planSandbox(anInput({ display: 'sdl' })).note).toContain('display sdl');
  });

  test('without seccomp, or where it must be off, there is none, and that is said', () => {
    const nic = aPlannedNic();
    const plan = { ...nic.plan, sandboxOff: 'the bridge helper' };
    expect(planSandbox(anInput({ nics: [{ ...nic, plan }] }))).toEqual({
      args: [],
      note: 'QEMU runs without its sandbox: net0: the bridge helper',
    });
    const without = planSandbox(anInput({ capabilities: { ...capabilitiesOf('7.2'), options: [] } }));
    expect(without.args).toEqual([]);
    expect(without.note).toContain('built without it');
  });
});
