/** What taps and macvtaps depend on: the interfaces that a profile names, the devices that QEMU opens, and who may make what is missing. */
import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { linkNameOf } from '../link-name.ts';
import type { Places } from '../places.ts';
import type { Nic, Profile } from '../profile/profile.ts';
import type { Sudo } from '../privileged.ts';
import type { System } from '../system/system.ts';
import { readGroups } from './accounts.ts';
import { blockedBy, type BlockedBy } from './blocked-by.ts';
import { readTun, type TunFact } from './bridge-door.ts';
import type { Identity, RunAs } from './facts.ts';
import { accessOf } from './file-access.ts';
import { listHostLinks, readHostLink, sysfsIsOwn, type HostLink } from './host-link.ts';
import { readSettings } from './settings.ts';

export interface LinkDoor {
  /** By name: those that are there of the ones that the profile names, and of those that qrun would make. */
  readonly links: Readonly<Record<string, HostLink>>;
  /** Names of all, for a message. */
  readonly others: readonly string[];
  /** `own`: this process makes links; `contained`: root without CAP_NET_ADMIN. */
  readonly rights: 'own' | 'contained' | 'sudo' | 'none';
  readonly sudo?: Sudo;
  readonly tun: TunFact;
  readonly vhost: VhostFact;
  /** The groups of QEMU's user. */
  readonly groups: readonly number[];
  readonly ipv6: boolean;
  /** By parent: the host's own IPv4 addresses on it, `10.0.5.1/24`. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  /** Parents whose reverse path filter is strict. */
  readonly strict: readonly string[];
}

export interface VhostFact {
  readonly state: 'ok' | 'absent' | 'blocked';
  readonly blocked?: BlockedBy;
}

export interface LinkDoorOptions {
  readonly system: System;
  readonly places: Places;
  readonly profile: Pick<Profile, 'name' | 'nics'>;
  readonly user: Identity;
  readonly runAs: RunAs | undefined;
  /** A NIC is on a port that root made. */
  readonly onPorts?: boolean;
}

/** Undefined: no NIC of this profile needs one. @throws QrunError for a config.yaml that is wrong */
export async function readLinkDoor(options: LinkDoorOptions): Promise<LinkDoor | undefined> {
  const { profile, system, places, user, runAs } = options;
  const nics = profile.nics.filter(({ kind }) => kind === 'tap' || kind === 'macvtap');
  if (nics.length === 0 && options.onPorts !== true) return undefined;
  // after unshare --net alone /sys tells of other interfaces: then none is known
  const known = sysfsIsOwn();
  const parents = nics.flatMap((nic) => (nic.kind === 'macvtap' ? [nic.parent] : []));
  return {
    links: known ? readNamed(nics.flatMap((nic) => namesOf(nic, { state: places.state, vm: profile.name }))) : {},
    others: known ? listHostLinks().toSorted() : [],
    ...(await readRights(system, places)),
    tun: readTun(runAs, user),
    vhost: readVhost(runAs, user),
    groups: runAs === undefined ? [user.gid, ...(process.getgroups?.() ?? [])] : readGroups(runAs),
    ipv6: existsSync('/proc/sys/net/ipv6'),
    addresses: addressesOf(parents),
    strict: parents.filter((parent) => Math.max(rpFilter('all'), rpFilter(parent)) === 1),
  };
}

function namesOf(nic: Nic, vm: { readonly state: string; readonly vm: string }): string[] {
  if (nic.kind === 'macvtap') return [nic.parent, linkNameOf({ ...vm, nic: nic.id, role: 'macvtap' })];
  if (nic.kind !== 'tap') return [];
  return [
    nic.device ?? linkNameOf({ ...vm, nic: nic.id, role: 'tap' }),
    ...(nic.bridge === undefined ? [] : [nic.bridge]),
  ];
}

function readNamed(names: readonly string[]): Record<string, HostLink> {
  const found = names.map((name) => readHostLink(name)).filter((link) => link !== undefined);
  return Object.fromEntries(found.map((link) => [link.name, link]));
}

/** Who may do what takes root. @throws QrunError for a config.yaml that is wrong */
export async function readRights(system: System, places: Places): Promise<Pick<LinkDoor, 'rights' | 'sudo'>> {
  if (system.uid === 0) return { rights: hasNetAdmin(readText('/proc/self/status')) ? 'own' : 'contained' };
  const { sudo } = await readSettings(places, system);
  return sudo === 'never' ? { rights: 'none' } : { rights: 'sudo', sudo };
}

const netAdminBit = 12n;

/** Of /proc/PID/status. */
export function hasNetAdmin(status: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return effective === undefined || ((BigInt(`0x${effective}`) >> netAdminBit) & 1n) === 1n;
}

const vhostDevice = '/dev/vhost-net';

function readVhost(runAs: RunAs | undefined, user: Identity): VhostFact {
  if (!existsSync(vhostDevice)) return { state: 'absent' };
  if (accessOf(runAs).mayWrite(vhostDevice)) return { state: 'ok' };
  return { state: 'blocked', blocked: blockedBy(vhostDevice, 6, runAs ?? user) };
}

function addressesOf(parents: readonly string[]): Record<string, string[]> {
  if (parents.length === 0) return {};
  const all = networkInterfaces();
  return Object.fromEntries(
    parents.map((parent) => [
      parent,
      (all[parent] ?? []).flatMap(({ family, cidr }) => (family === 'IPv4' && cidr !== null ? [cidr] : [])),
    ]),
  );
}

const rpFilter = (name: string): number =>
  Number.parseInt(readText(`/proc/sys/net/ipv4/conf/${name}/rp_filter`), 10) || 0;

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
