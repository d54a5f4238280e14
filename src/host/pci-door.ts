/** What NICs of kind `hostdev` depend on: the devices and who uses them, the IOMMU, vfio, and what QEMU may lock in memory. */
import { accessSync, closeSync, constants, openSync, statSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { isRecord } from '../json-object.ts';
import { isVmName } from '../names.ts';
import { pciLockFile, vfioDriver, vfioNodePath } from '../pci-address.ts';
import type { Places } from '../places.ts';
import type { Sudo } from '../privileged.ts';
import type { Profile } from '../profile/profile.ts';
import { tryLock } from '../system/flock.ts';
import { textOf } from '../system/glance.ts';
import { findHolders, readArguments } from '../system/processes.ts';
import { nameOfQemu } from '../system/qemus.ts';
import type { System } from '../system/system.ts';
import { readRights, type LinkDoor } from './link-door.ts';
import {
  hasIommu,
  hasVfioDriver,
  readIommuGroup,
  readPciDevice,
  readPciNet,
  readPciOfNet,
  type PciDevice,
  type PciNet,
} from './pci.ts';

export interface PciDoor {
  readonly iommu: boolean;
  /** The module vfio-pci is there. */
  readonly loaded: boolean;
  /** By address: those of the profile, the virtual functions of its parents, and all of their groups. */
  readonly devices: Readonly<Record<string, PciDevice>>;
  /** By number: addresses. */
  readonly groups: Readonly<Record<number, readonly string[]>>;
  /** By group: its node in /dev/vfio; missing where there is none yet. */
  readonly nodes: Readonly<Record<number, VfioNode>>;
  /** By interface: the PCI address of each `parent`. */
  readonly parents: Readonly<Record<string, string>>;
  /** The interfaces of those devices, by name. */
  readonly nets: Readonly<Record<string, PciNet>>;
  /** By interface of the physical function: what its virtual ones are set to. */
  readonly settings: Readonly<Record<string, readonly VfSetting[]>>;
  /** By address, of virtual functions of those parents: whose guest has it. */
  readonly holders?: Readonly<Record<string, VfHolder>>;
  /** Interfaces of default routes. */
  readonly waysOut: readonly string[];
  /** RLIMIT_MEMLOCK; undefined: none. */
  readonly lockableBytes?: number;
  readonly rights: LinkDoor['rights'];
  readonly sudo?: Sudo;
}

export interface VfioNode {
  readonly uid: number;
  readonly gid: number;
  /** `blocked`: not for this user. `busy`: a program has it. */
  readonly state: 'free' | 'blocked' | 'busy';
}

export interface VfHolder {
  /** The VM's name, as far as this user may look. */
  readonly who: string;
  /** The very VM that this is about. */
  readonly own: boolean;
}

export interface VfSetting {
  readonly index: number;
  readonly mac?: string;
  /** 0: none. */
  readonly vlan: number;
}

export interface PciDoorOptions {
  readonly system: System;
  readonly places: Places;
  readonly profile: Pick<Profile, 'nics'>;
  /** QEMU's of this VM, if it runs. */
  readonly ownPid?: (() => number | undefined) | undefined;
}

/** Undefined: no NIC of this profile needs one. @throws QrunError for a config.yaml that is wrong */
export async function readPciDoor({ system, places, profile, ownPid }: PciDoorOptions): Promise<PciDoor | undefined> {
  const nics = profile.nics.filter((nic) => nic.kind === 'hostdev');
  if (nics.length === 0) return undefined;
  const found = readPciPart({
    addresses: nics.flatMap(({ address }) => (address === undefined ? [] : [address])),
    parents: nics.flatMap(({ parent }) => (parent === undefined ? [] : [parent])),
  });
  const lockable = parseLockable(textOf('/proc/self/limits'));
  return {
    ...found,
    nodes: readNodes(Object.keys(found.groups).map(Number)),
    holders: readHolders(found, ownPid),
    settings: readSettings(system, physicalNets(found)),
    waysOut: parseWaysOut(textOf('/proc/net/route'), textOf('/proc/net/ipv6_route')),
    ...(lockable !== undefined && { lockableBytes: lockable }),
    ...(await readRights(system, places)),
  };
}

export type PciPart = Pick<PciDoor, 'iommu' | 'loaded' | 'devices' | 'groups' | 'parents' | 'nets'>;

/** What sysfs alone tells. */
export function readPciPart(
  asked: { readonly addresses: readonly string[]; readonly parents: readonly string[] },
  sysfs = '/sys',
): PciPart {
  const parents = Object.fromEntries(
    asked.parents.flatMap((name) => {
      const address = readPciOfNet(name, sysfs);
      return address === undefined ? [] : [[name, address] as const];
    }),
  );
  const devices: Record<string, PciDevice> = {};
  const look = (address: string): PciDevice | undefined => {
    const found = devices[address] ?? readPciDevice(address, sysfs);
    if (found !== undefined) devices[address] = found;
    return found;
  };
  const vfs = Object.values(parents).flatMap((parent) => look(parent)?.vfs ?? []);
  const groups: Record<number, readonly string[]> = {};
  for (const address of [...asked.addresses, ...vfs]) {
    const { physical, group } = look(address) ?? {};
    if (physical !== undefined) look(physical);
    if (group === undefined) continue;
    groups[group] ??= readIommuGroup(group, sysfs);
    for (const member of groups[group]) look(member);
  }
  const names = [...asked.parents, ...Object.values(devices).flatMap(({ nets }) => nets)];
  const nets = names.map((name) => readPciNet(name, sysfs)).filter((net) => net !== undefined);
  return {
    iommu: hasIommu(sysfs),
    loaded: hasVfioDriver(sysfs),
    devices,
    groups,
    parents,
    nets: Object.fromEntries(nets.map((net) => [net.name, net])),
  };
}

function physicalNets({ devices, parents }: PciPart): string[] {
  const named = Object.keys(parents);
  return [
    ...new Set([
      ...named,
      ...Object.values(devices).flatMap(({ vfs, nets }) => (vfs.length > 0 ? nets.slice(0, 1) : [])),
    ]),
  ];
}

function readNodes(groups: readonly number[]): Record<number, VfioNode> {
  return Object.fromEntries(
    groups.flatMap((group) => {
      const node = readVfioNode(group);
      return node === undefined ? [] : [[group, node] as const];
    }),
  );
}

/** A group is opened by one program at a time: the kernel says EBUSY to the second. */
export function readVfioNode(group: number, dev = '/dev'): VfioNode | undefined {
  const file = vfioNodePath(group, dev);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const { uid, gid } = stat;
  return { uid, gid, state: stateOf(file) };
}

function stateOf(file: string): VfioNode['state'] {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
    closeSync(openSync(file, constants.O_RDWR | constants.O_NOFOLLOW));
    return 'free';
  } catch (error) {
    return errnoOf(error) === 'EBUSY' ? 'busy' : 'blocked';
  }
}

/** Whoever has one holds a lock on it. Only what is with vfio-pci can be a guest's. */
function readHolders({ parents, devices }: PciPart, ownPid: PciDoorOptions['ownPid']): Record<string, VfHolder> {
  const vfs = Object.values(parents).flatMap((parent) => devices[parent]?.vfs ?? []);
  return Object.fromEntries(
    vfs.flatMap((address) => {
      const file = pciLockFile(address);
      if (devices[address]?.driver !== vfioDriver || canLock(file)) return [];
      const [pid] = findHolders(file);
      return [[address, { who: nameOfHolder(pid), own: pid !== undefined && pid === ownPid?.() }] as const];
    }),
  );
}

function canLock(file: string): boolean {
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return tryLock(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errnoOf(error) !== undefined) return true;
    throw error;
  }
}

function nameOfHolder(pid: number | undefined): string {
  const name = pid === undefined ? undefined : nameOfQemu(readArguments(pid));
  return name !== undefined && isVmName(name) ? name : pid === undefined ? 'a guest' : `pid ${pid}`;
}

function readSettings(system: System, names: readonly string[]): Record<string, readonly VfSetting[]> {
  return Object.fromEntries(
    names.map((name) => {
      const { status, stdout } = system.runNow('ip', ['-j', 'link', 'show', 'dev', name]);
      return [name, status === 0 ? parseVfSettings(stdout) : []] as const;
    }),
  );
}

/** Of `ip -j link show dev PF`. */
export function parseVfSettings(text: string): VfSetting[] {
  const rows: unknown = text.trim() === '' ? [] : JSON.parse(text);
  const list = Array.isArray(rows) && isRecord(rows[0]) ? rows[0]['vfinfo_list'] : undefined;
  return (Array.isArray(list) ? list : []).filter(isRecord).flatMap((row) => {
    // iproute2 called the address `mac` first
    const [index, mac, vlans] = [row['vf'], row['address'] ?? row['mac'], row['vlan_list']];
    if (typeof index !== 'number') return [];
    const first: unknown = Array.isArray(vlans) ? vlans[0] : undefined;
    const vlan = isRecord(first) ? first['vlan'] : row['vlan'];
    return [{ index, ...(isMac(mac) && { mac }), vlan: typeof vlan === 'number' ? vlan : 0 }];
  });
}

const isMac = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(value);

const rejects = 0x200;

/** Of /proc/net/route and /proc/net/ipv6_route: the interfaces of default routes, each once. */
export function parseWaysOut(route4: string, route6: string): string[] {
  const rows4 = route4.split('\n').slice(1);
  const names4 = rows4.flatMap((line) => {
    const [name = '', destination, , , , , , mask] = line.trim().split(/\s+/);
    return destination === '00000000' && mask === '00000000' ? [name] : [];
  });
  const names6 = route6.split('\n').flatMap((line) => {
    const [destination = '', prefix, , , , , , , flags = '', name = ''] = line.trim().split(/\s+/);
    const isDefault = /^0{32}$/.test(destination) && prefix === '00' && name !== 'lo';
    return isDefault && (Number.parseInt(flags, 16) & rejects) === 0 ? [name] : [];
  });
  return [...new Set([...names4, ...names6])];
}

/** Of /proc/PID/limits, the soft limit; undefined: none. */
export function parseLockable(limits: string): number | undefined {
  const soft = /^Max locked memory\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
