/** The lines for `ip -batch` that make an interface. Pure. A link never gets an IPv6 address of its own: it would be the guest's. */
import { QrunError } from '../errors.ts';
import type { Mac } from '../names.ts';

export interface TapLink {
  readonly name: string;
  readonly alias: string;
  /** QEMU's user. Where there is a group too, the kernel wants both to fit. */
  readonly uid?: number;
  readonly gid?: number;
  /** The guest's. */
  readonly mac: Mac;
  readonly queues: number;
  readonly mtu?: number;
  readonly bridge?: string;
  readonly ipv6: boolean;
}

/** https://docs.kernel.org/networking/tuntap.html */
export function tapCommands({ name, alias, uid, gid, mac, queues, mtu, bridge, ipv6 }: TapLink): string[] {
  return checked([
    [
      'tuntap',
      'add',
      'dev',
      name,
      'mode',
      'tap',
      ...(uid === undefined ? [] : ['user', String(uid)]),
      ...(gid === undefined ? [] : ['group', String(gid)]),
      ...(queues > 1 ? ['multi_queue'] : []),
      'vnet_hdr',
    ],
    [
      ...['link', 'set', 'dev', name, 'alias', alias, 'address', tapMacOf(mac)],
      ...(mtu === undefined ? [] : ['mtu', String(mtu)]),
      ...(ipv6 && bridge !== undefined ? ['addrgenmode', 'none'] : []),
    ],
    ...(bridge === undefined ? [] : [['link', 'set', 'dev', name, 'master', bridge]]),
    ['link', 'set', 'dev', name, 'up'],
  ]);
}

/** A bridge takes the lowest MAC of its ports as its own: this one is never the lowest, nor the guest's. */
export const tapMacOf = (mac: Mac): string => `fe${mac.slice(2)}`;

export interface MacvtapLink {
  readonly name: string;
  readonly alias: string;
  readonly index: number;
  readonly parent: string;
  readonly mode: string;
  readonly mac: Mac;
  readonly mtu?: number;
  readonly ipv6: boolean;
}

/**
 * The MAC is given twice: in mode passthru a new interface takes its parent's. `allmulticast`: the guest's own groups (its IPv6 neighbours ask by
 * them) are unknown to the host, and without it they never reach the guest.
 */
export function macvtapCommands({ name, alias, index, parent, mode, mac, mtu, ipv6 }: MacvtapLink): string[] {
  return checked([
    [
      ...['link', 'add', 'link', parent, 'name', name, 'index', String(index), 'address', mac],
      ...['type', 'macvtap', 'mode', mode],
    ],
    [
      ...['link', 'set', 'dev', name, 'alias', alias, 'address', mac],
      ...(mtu === undefined ? [] : ['mtu', String(mtu)]),
      ...(ipv6 ? ['addrgenmode', 'none'] : []),
      ...['allmulticast', 'on'],
    ],
    ['link', 'set', 'dev', name, 'up'],
  ]);
}

export interface HostLinkPlan {
  readonly name: string;
  readonly alias: string;
  readonly parent: string;
  /** The host's on the parent: `10.0.5.1/24` */
  readonly addresses: readonly string[];
  readonly metric: number;
}

/**
 * The host's way to the guests: a macvlan beside theirs that has the host's address, and routes to the card's network that are more exact than the
 * card's own (its two halves). The card itself is left as it is, so that with this interface everything of it goes.
 */
export function hostAccessCommands({ name, alias, parent, addresses, metric }: HostLinkPlan): string[] {
  return checked([
    ['link', 'add', 'link', parent, 'name', name, 'type', 'macvlan', 'mode', 'bridge'],
    ['link', 'set', 'dev', name, 'alias', alias],
    ...addresses.map((address) => ['address', 'add', `${addressOf(address)}/32`, 'dev', name, 'noprefixroute']),
    ['link', 'set', 'dev', name, 'up'],
    ...addresses.flatMap((address) =>
      halvesOf(address).map((half) => [
        ...['route', 'add', half, 'dev', name, 'src', addressOf(address), 'scope', 'link', 'metric', String(metric)],
      ]),
    ),
  ]);
}

const addressOf = (cidr: string): string => cidr.slice(0, cidr.indexOf('/'));

/** `10.0.5.1/24` → `10.0.5.0/25`, `10.0.5.128/25` */
export function halvesOf(cidr: string): string[] {
  const length = Number(cidr.slice(cidr.indexOf('/') + 1));
  if (!(length >= 1 && length <= 30)) return [];
  const value = addressOf(cidr)
    .split('.')
    .reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - length);
  const first = Math.floor(value / size) * size;
  return [first, first + size / 2].map((start) => `${dotted(start)}/${length + 1}`);
}

const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');

/** `ip -batch` reads words as a shell does: a name that is more than a word is none that is handed to it. */
function checked(lines: readonly (readonly string[])[]): string[] {
  const odd = lines.flat().find((word) => !/^[A-Za-z0-9_.,:@/+-]+$/.test(word) || word.startsWith('-'));
  if (odd === undefined) return lines.map((words) => words.join(' '));
  throw new QrunError('host-failed', `${JSON.stringify(odd)} is no name that ip takes from a list of commands`, {
    hint: 'give the interface another name',
  });
}
