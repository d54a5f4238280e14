/** A look at PCI devices in sysfs, for NICs of kind `hostdev`. https://docs.kernel.org/PCI/sysfs-pci.html, https://docs.kernel.org/driver-api/vfio.html */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { faultOfIfName } from '../names.ts';
import { isDriverName, isPciAddress, pciDirectory, pciDriverDirectory, vfioDriver } from '../pci-address.ts';
import { namesIn } from '../system/glance.ts';
import { attributeOf, linkTarget } from './sysfs.ts';

export interface PciDevice {
  /** `0000:01:00.0` */
  readonly address: string;
  /** Six hex digits; `02…` is a network card, `0604…` a bridge. */
  readonly class: string;
  readonly driver?: string;
  /** Undefined: no IOMMU stands before it. */
  readonly group?: number;
  /** The interfaces that its driver made of it. */
  readonly nets: readonly string[];
  /** Of a virtual function: the physical one. */
  readonly physical?: string;
  /** Of a physical function that can have virtual ones. */
  readonly totalVfs?: number;
  /** By number; those that there are. */
  readonly vfs: readonly string[];
}

export interface PciNet {
  readonly name: string;
  readonly mac: string;
  readonly up: boolean;
  readonly master?: string;
  readonly uppers: readonly string[];
}

const upFlag = 1;

/** Undefined: there is none at that address. */
export function readPciDevice(address: string, sysfs = '/sys'): PciDevice | undefined {
  const directory = pciDirectory(address, sysfs);
  const code = /^0x([0-9a-f]{6})$/i.exec(attributeOf(path.join(directory, 'class')))?.[1];
  if (code === undefined) return undefined;
  const driver = linkTarget(path.join(directory, 'driver'));
  const group = Number.parseInt(linkTarget(path.join(directory, 'iommu_group')) ?? '', 10);
  const physical = linkTarget(path.join(directory, 'physfn'));
  const totalVfs = Number.parseInt(attributeOf(path.join(directory, 'sriov_totalvfs')), 10);
  return {
    address,
    class: code.toLowerCase(),
    ...(driver !== undefined && isDriverName(driver) && { driver }),
    ...(group >= 0 && { group }),
    nets: namesIn(path.join(directory, 'net')).filter((name) => faultOfIfName(name) === undefined),
    ...(physical !== undefined && isPciAddress(physical) && { physical }),
    ...(totalVfs > 0 && { totalVfs }),
    vfs: readVfs(directory),
  };
}

function readVfs(directory: string): string[] {
  const found: string[] = [];
  for (const entry of namesIn(directory)) {
    const number = /^virtfn(\d{1,4})$/.exec(entry)?.[1];
    const target = number === undefined ? undefined : linkTarget(path.join(directory, entry));
    if (target !== undefined && isPciAddress(target)) found[Number(number)] = target;
  }
  return Array.from(found, (address) => address ?? '');
}

/** Addresses of all network cards, in their order. */
export const listNetCards = (sysfs = '/sys'): string[] =>
  namesIn(path.join(sysfs, 'bus/pci/devices'))
    .filter((address) => isPciAddress(address) && readPciDevice(address, sysfs)?.class.startsWith('02') === true)
    .toSorted();

/** Addresses of all in the group. */
export const readIommuGroup = (group: number, sysfs = '/sys'): string[] =>
  namesIn(path.join(sysfs, 'kernel/iommu_groups', String(group), 'devices'))
    .filter(isPciAddress)
    .toSorted();

export const hasIommu = (sysfs = '/sys'): boolean => namesIn(path.join(sysfs, 'kernel/iommu_groups')).length > 0;

export const hasVfioDriver = (sysfs = '/sys'): boolean => existsSync(pciDriverDirectory(vfioDriver, sysfs));

/** The PCI device behind an interface; undefined: there is none. */
export function readPciOfNet(name: string, sysfs = '/sys'): string | undefined {
  if (faultOfIfName(name) !== undefined) return undefined;
  const target = linkTarget(path.join(sysfs, 'class/net', name, 'device'));
  return target !== undefined && isPciAddress(target) ? target : undefined;
}

export function readPciNet(name: string, sysfs = '/sys'): PciNet | undefined {
  if (faultOfIfName(name) !== undefined) return undefined;
  const directory = path.join(sysfs, 'class/net', name);
  const flags = Number.parseInt(attributeOf(path.join(directory, 'flags')), 16);
  if (Number.isNaN(flags)) return undefined;
  const master = linkTarget(path.join(directory, 'master'));
  return {
    name,
    mac: attributeOf(path.join(directory, 'address')),
    up: (flags & upFlag) !== 0,
    ...(master !== undefined && { master }),
    uppers: namesIn(directory).flatMap((entry) => (entry.startsWith('upper_') ? [entry.slice('upper_'.length)] : [])),
  };
}
