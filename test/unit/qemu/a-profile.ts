/** Profiles, facts and capabilities for tests: small, complete, and changed only where a test says so. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { HostFacts } from '../../../src/host/facts.ts';
import type { Mac, VmName } from '../../../src/names.ts';
import type { NicContext } from '../../../src/nic/nic-kind.ts';
import { vmFiles } from '../../../src/plan/vm-files.ts';
import { userNic } from '../../../src/nic/user.ts';
import type { Forward, Nic, Profile, UserNic } from '../../../src/profile/profile.ts';
import type { ArgvInput, ArgvNic } from '../../../src/qemu/argv/build.ts';
import type { QemuCapabilities } from '../../../src/qemu/capabilities.ts';

export function capabilitiesOf(version: '6.2' | '7.2' | '10.0'): QemuCapabilities {
  const file = path.join(import.meta.dirname, 'fixtures', `capabilities-${version}.json`);
  return JSON.parse(readFileSync(file, 'utf8')) as QemuCapabilities;
}

export function aProfile(changes: Partial<Profile> = {}): Profile {
  return {
    name: 'web1' as VmName,
    file: '/etc/qrun/profiles/web1.yaml',
    cpus: { sockets: 1, cores: 2, threads: 1 },
    memoryMib: 512,
    accel: 'auto',
    machine: 'q35',
    firmware: 'bios',
    disks: [],
    boot: { order: ['disk', 'cdrom'] },
    display: 'none',
    console: 'stdio',
    nics: [],
    ephemeral: false,
    shutdown: { timeoutS: 60 },
    hooks: {},
    args: [],
    ...changes,
  };
}

export function aUserNic(changes: Partial<UserNic> = {}): UserNic {
  return {
    kind: 'user',
    id: 'net0',
    model: 'virtio-net-pci',
    queues: 1,
    vhost: 'auto',
    forwards: [],
    restrict: false,
    ipv6: true,
    ...changes,
  };
}

export function aForward(changes: Partial<Forward> = {}): Forward {
  return { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 8080, guestPort: 80, ...changes };
}

export function someFacts(changes: Partial<HostFacts> = {}): HostFacts {
  return {
    places: { config: [], examples: '/nowhere', state: '/state', runtime: '/run', cache: '/cache', host: '/host' },
    user: { uid: 1000, gid: 1000, name: 'alice', home: '/home/alice' },
    bootId: 'boot',
    qemu: capabilitiesOf('7.2'),
    kvm: { present: false, openable: false },
    hasDesktop: false,
    tools: {},
    disks: {},
    links: [],
    macs: {},
    lastPorts: {},
    slots: {},
    networks: {},
    ...changes,
  };
}

export function aContext(nics: readonly Nic[], changes: Partial<HostFacts> = {}): NicContext {
  let fd = 5;
  const facts = someFacts(changes);
  return {
    profile: aProfile({ nics }),
    facts,
    netdevId: nics[0]?.id ?? 'net0',
    files: vmFiles(facts.places, 'web1' as VmName),
    nextFd: () => fd++,
  };
}

export const aMac = '52:54:00:aa:bb:cc' as Mac;

export function aPlannedNic(changes: Partial<UserNic> = {}, slot = 0): ArgvNic {
  const nic = aUserNic(changes);
  return { nic, plan: userNic.plan(nic, { ...aContext([nic]), netdevId: nic.id }), mac: aMac, slot };
}

export function anInput(changes: Partial<ArgvInput> = {}): ArgvInput {
  return {
    profile: aProfile(),
    capabilities: capabilitiesOf('7.2'),
    accel: 'tcg',
    disks: [],
    nics: [],
    sockets: { qmp: '/run/web1/qmp', console: '/run/web1/console' },
    display: 'none',
    extraArgs: [],
    ...changes,
  };
}

/** The values that follow an option, in order. */
export function valuesOf(argv: readonly string[], option: string): string[] {
  return argv.flatMap((argument, index) => (argument === option ? [argv[index + 1] ?? ''] : []));
}

/** The device with that id, from its JSON. */
export function deviceOf(argv: readonly string[], id: string): Record<string, unknown> {
  const devices = valuesOf(argv, '-device').filter((value) => value.startsWith('{'));
  const found = devices
    .map((value) => JSON.parse(value) as Record<string, unknown>)
    .find((value) => value['id'] === id);
  if (found === undefined) throw new Error(`no device ${id} in ${argv.join(' ')}`);
  return found;
}
