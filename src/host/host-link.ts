/** One interface of the host's, from sysfs: no program is started for it. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { namesIn } from '../system/glance.ts';
import { lackingMacOf } from './bridge-mac.ts';
import { attributeOf, linkTarget } from './sysfs.ts';

export interface HostLink {
  readonly name: string;
  readonly kind: 'tap' | 'tun' | 'bridge' | 'macvtap' | 'wifi' | 'loopback' | 'other';
  readonly index: number;
  readonly mac: string;
  /** Bytes. */
  readonly mtu: number;
  /** Administratively. */
  readonly up: boolean;
  /** Empty: none. */
  readonly alias: string;
  /** Undefined: the one that all are in. */
  readonly group?: number;
  /** The bridge, bond, … that it is a port of. */
  readonly master?: string;
  /** What stands on it: VLANs, macvlans, a bridge. */
  readonly uppers: readonly string[];
  /** Of a tap or tun. */
  readonly tap?: TapFlags;
  /** Of a bridge whose MAC changes with its guests: one that it could be given for good. */
  readonly lackingMac?: string;
}

export interface TapFlags {
  /** Undefined: anybody. */
  readonly owner?: number;
  readonly group?: number;
  readonly multiQueue: boolean;
  /** It goes with the program that has it: nobody made it for anybody. */
  readonly transient?: true;
  /** A program has it open; undefined: an interface that is down does not say. */
  readonly attached?: boolean;
}

const classDirectory = '/sys/class/net';
const upFlag = 1;
const loopbackFlag = 8;
const tapFlag = 0x2;
const multiQueueFlag = 0x100;
const persistFlag = 0x800;

/** Undefined: there is none of that name in the network that /sys shows. */
export function readHostLink(name: string): HostLink | undefined {
  const directory = path.join(classDirectory, name);
  const text = (file: string): string => attributeOf(path.join(directory, file));
  const index = readLinkIndex(name);
  if (index === undefined) return undefined;
  const flags = Number.parseInt(text('flags'), 16);
  const master = linkTarget(path.join(directory, 'master'));
  const tap = readTapFlags(text);
  const group = Number.parseInt(text('netdev_group'), 10);
  const kind = kindOf(directory, flags, Number.parseInt(text('tun_flags'), 16));
  const lackingMac = kind === 'bridge' ? lackingMacOf(directory) : undefined;
  return {
    name,
    kind,
    index,
    mac: text('address'),
    mtu: Number.parseInt(text('mtu'), 10) || 1500,
    up: (flags & upFlag) !== 0,
    alias: text('ifalias'),
    ...(group > 0 && { group }),
    ...(master !== undefined && { master }),
    uppers: namesIn(directory).flatMap((entry) => (entry.startsWith('upper_') ? [entry.slice('upper_'.length)] : [])),
    ...(tap !== undefined && { tap }),
    ...(lackingMac !== undefined && { lackingMac }),
  };
}

/** The kernel's number of it. */
export function readLinkIndex(name: string): number | undefined {
  const index = Number.parseInt(attributeOf(path.join(classDirectory, name, 'ifindex')), 10);
  return Number.isNaN(index) ? undefined : index;
}

export const isBridge = (name: string): boolean => existsSync(path.join(classDirectory, name, 'bridge'));

/** Names, in no order that means anything. */
export const listHostLinks = (): string[] =>
  namesIn(classDirectory).filter((name) => existsSync(path.join(classDirectory, name, 'ifindex')));

/** `major:minor` of a macvtap's character device, as the kernel of this very interface says it. */
export function readTapNode(name: string, index: number): string | undefined {
  return attributeOf(path.join(classDirectory, name, `tap${index}`, 'dev')) || undefined;
}

/** `major:minor`, as glibc packs them. https://man7.org/linux/man-pages/man3/makedev.3.html */
export function numbersOf(rdev: number): string {
  const number = BigInt(rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** After `unshare --net` /sys is still the old network's until it is mounted again, and what it says is of other interfaces. */
export function sysfsIsOwn(): boolean {
  const own = attributeOf('/proc/net/dev')
    .split('\n')
    .slice(2)
    .map((line) => line.slice(0, line.lastIndexOf(':')).trim());
  const shown = listHostLinks();
  return own.length === shown.length && own.every((name) => shown.includes(name));
}

function readTapFlags(text: (file: string) => string): TapFlags | undefined {
  const flags = Number.parseInt(text('tun_flags'), 16);
  if (Number.isNaN(flags)) return undefined;
  const owner = Number.parseInt(text('owner'), 10);
  const group = Number.parseInt(text('group'), 10);
  const carrier = text('carrier');
  return {
    ...(owner >= 0 && { owner }),
    ...(group >= 0 && { group }),
    multiQueue: (flags & multiQueueFlag) !== 0,
    ...((flags & persistFlag) === 0 && { transient: true }),
    ...(carrier !== '' && { attached: carrier === '1' }),
  };
}

function kindOf(directory: string, flags: number, tunFlags: number): HostLink['kind'] {
  const has = (entry: string): boolean => existsSync(path.join(directory, entry));
  if (!Number.isNaN(tunFlags)) return (tunFlags & tapFlag) !== 0 ? 'tap' : 'tun';
  if (has('bridge')) return 'bridge';
  if (has('wireless') || has('phy80211')) return 'wifi';
  if ((flags & loopbackFlag) !== 0) return 'loopback';
  return has('macvtap') ? 'macvtap' : 'other';
}
