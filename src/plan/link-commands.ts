/** The lines for `ip -batch` that make an interface. Pure. A link never gets an IPv6 address of its own: it would be the guest's. */
import { QrunError } from '../errors.ts';
import { reachedGroup } from '../host-way-name.ts';
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
const tapMacOf = (mac: Mac): string => `fe${mac.slice(2)}`;

export interface MacvtapLink {
  readonly name: string;
  readonly alias: string;
  readonly index: number;
  readonly parent: string;
  readonly mode: string;
  readonly mac: Mac;
  readonly mtu?: number;
  readonly ipv6: boolean;
  /** The host is to have a way to it. */
  readonly reached?: boolean;
}

/**
 * The MAC is given twice: in mode passthru a new interface takes its parent's. `allmulticast`: the guest's own groups (its IPv6 neighbours ask by
 * them) are unknown to the host, and without it they never reach the guest.
 */
export function macvtapCommands({ name, alias, index, parent, mode, mac, mtu, ipv6, reached }: MacvtapLink): string[] {
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
      ...(reached === true ? ['group', String(reachedGroup)] : []),
    ],
    ['link', 'set', 'dev', name, 'up'],
  ]);
}

/** `ip -batch` reads words as a shell does: a name that is more than a word is none that is handed to it. */
export function checked(lines: readonly (readonly string[])[]): string[] {
  const odd = lines.flat().find((word) => !/^[A-Za-z0-9_.,:@/+-]+$/.test(word) || word.startsWith('-'));
  if (odd === undefined) return lines.map((words) => words.join(' '));
  throw new QrunError('host-failed', `${JSON.stringify(odd)} is no name that ip takes from a list of commands`, {
    hint: 'give the interface another name',
  });
}
