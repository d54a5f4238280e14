import { expect, test } from 'vitest';
import { readHostFacts } from '../../../src/host/read-facts.ts';
import type { Mac, VmName } from '../../../src/names.ts';
import { placesOf } from '../../../src/places.ts';
import type { Profile, UserNic } from '../../../src/profile/profile.ts';
import type { QemuCapabilities } from '../../../src/qemu/capabilities.ts';
import type { RunResult, System } from '../../../src/system/system.ts';

const qemu: QemuCapabilities = {
  v: 1,
  file: 'qemu-system-x86_64',
  realFile: '/usr/bin/qemu-system-x86_64',
  version: { major: 7, minor: 2, micro: 0 },
  package: '',
  netdevTypes: [],
  netdevMembers: {},
  options: [],
  optionMembers: {},
  devices: [],
  machines: [],
  accelerators: [],
};
const nicWith = (hostAddress: string): UserNic => ({
  kind: 'user',
  id: 'net0',
  model: 'virtio-net-pci',
  queues: 1,
  vhost: 'auto',
  restrict: false,
  ipv6: true,
  forwards: [{ protocol: 'tcp', hostAddress, hostPort: 2222, guestPort: 22 }],
});
const profileOf = (hostAddress: string): Profile => ({
  name: 'web1' as VmName,
  file: '/nonexistent/web1.yaml',
  cpus: { sockets: 1, cores: 1, threads: 1 },
  memoryMib: 64,
  accel: 'auto',
  machine: 'q35',
  firmware: 'bios',
  disks: [],
  boot: { order: ['disk'] },
  display: 'none',
  console: 'stdio',
  nics: [nicWith(hostAddress)],
  ephemeral: false,
  shutdown: { timeoutS: 60 },
  hooks: {},
  args: [],
});

/** A machine that writes down what is run on it. */
function machine(answer: RunResult): { system: System; ran: string[] } {
  const ran: string[] = [];
  const note = (tool: string, args: readonly string[]): RunResult => {
    ran.push([tool, ...args].join(' '));
    return answer;
  };
  const system: System = {
    env: {},
    uid: 1000,
    gid: 1000,
    bootId: () => 'this-boot',
    which: (tool) => `/usr/bin/${tool}`,
    run: async (tool, args) => note(tool, args),
    runNow: note,
  };
  return { system, ran };
}

const leases = { macs: { net0: '52:54:00:00:00:01' as Mac }, slots: { net0: 16 }, lastPorts: {} };
const places = placesOf({ env: {}, uid: 1000, home: '/nonexistent', packageRoot: '/nonexistent' });

test('a typical profile is read about without starting a process', async () => {
  const { system, ran } = machine({ status: 1, stdout: '', stderr: '' });
  const facts = await readHostFacts({ system, places, profile: profileOf('127.0.0.1'), qemu, leases });
  expect(ran).toEqual([]);
  expect(facts).toMatchObject({ ...leases, bootId: 'this-boot', links: [], disks: {}, hasDesktop: false, qemu });
  expect(facts.tools).toMatchObject({ 'qemu-img': '/usr/bin/qemu-img', setpriv: '/usr/bin/setpriv' });
  expect(facts).not.toHaveProperty('runAs');
  expect(facts).not.toHaveProperty('uefi');
});

test('links are read when a forward names an interface', async () => {
  const rows = [{ ifname: 'eth0', link_type: 'ether', address: '02:00:00:00:00:01', flags: ['UP'], addr_info: [] }];
  const { system, ran } = machine({ status: 0, stdout: JSON.stringify(rows), stderr: '' });
  const facts = await readHostFacts({ system, places, profile: profileOf('%eth0'), qemu, leases });
  expect(ran).toEqual(['ip -j -details addr']);
  expect(facts.links).toEqual([{ name: 'eth0', mac: '02:00:00:00:00:01', addresses: [], up: true }]);
});

test('what ip says when it fails is told', async () => {
  const { system } = machine({ status: 1, stdout: '', stderr: 'Cannot open netlink socket\n' });
  await expect(readHostFacts({ system, places, profile: profileOf('%eth0'), qemu, leases })).rejects.toMatchObject({
    code: 'host-failed',
    causes: ['Cannot open netlink socket'],
  });
});
