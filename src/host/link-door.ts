/** What taps and macvtaps depend on: the interfaces that a profile names, the devices that QEMU opens, and who may make what is missing. */
import { existsSync } from 'node:fs';
import type { Places } from '../places.ts';
import type { Nic, Profile } from '../profile/profile.ts';
import type { Sudo } from '../privileged.ts';
import { textOf } from '../system/glance.ts';
import type { System } from '../system/system.ts';
import { readGroups } from './accounts.ts';
import { readCardUses, type CardUse } from './card-use.ts';
import { blockedBy, type BlockedBy } from './blocked-by.ts';
import { readTun, type TunFact } from './bridge-door.ts';
import type { Identity, RunAs } from './facts.ts';
import { accessOf } from './file-access.ts';
import { readHostAccess, type HostAccessFact } from './host-access.ts';
import { listHostLinks, readHostLink, sysfsIsOwn, type HostLink } from './host-link.ts';
import { readSettings } from './settings.ts';
import { findHolderOfTap, holderInWords } from './tap-holder.ts';

export interface LinkDoor {
  /** By name: those that are there of the ones that the profile names. */
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
  /** A udev runs here. */
  readonly udev?: boolean;
  /** What the names follow from that qrun chooses; undefined: it chooses none. */
  readonly seed?: string;
  /** By parent: what the host has there. */
  readonly ways: Readonly<Record<string, HostAccessFact>>;
  /** By parent: what shares it now. */
  readonly uses?: Readonly<Record<string, readonly CardUse[]>>;
  /** By tap of the profile's that another program has: which, as far as this user may see. */
  readonly taken?: Readonly<Record<string, string>>;
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
  readonly seed?: string;
  /** A NIC is on a port that root made. */
  readonly onPorts?: boolean;
  /** That such ports stand on. */
  readonly cards?: readonly string[];
  /** QEMU's of this VM, if it runs. */
  readonly ownPid?: () => number | undefined;
}

/** Undefined: no NIC of this profile needs one. @throws QrunError for a config.yaml that is wrong */
export async function readLinkDoor(options: LinkDoorOptions): Promise<LinkDoor | undefined> {
  const { profile, system, places, user, runAs } = options;
  const nics = profile.nics.filter(({ kind }) => kind === 'tap' || kind === 'macvtap');
  if (nics.length === 0 && options.onPorts !== true) return undefined;
  // after unshare --net alone /sys tells of other interfaces: then none is known
  const known = sysfsIsOwn();
  const parents = nics.flatMap((nic) => (nic.kind === 'macvtap' ? [nic.parent] : []));
  const links = known ? readNamed(nics.flatMap(namesOf)) : {};
  const cards = parents.flatMap((parent) => links[parent] ?? []);
  return {
    links,
    others: known ? listHostLinks().toSorted() : [],
    ...(await readRights(system, places)),
    ...(options.seed !== undefined && { seed: options.seed }),
    tun: readTun(runAs, user),
    vhost: readVhost(runAs, user),
    groups: runAs === undefined ? [user.gid, ...(process.getgroups?.() ?? [])] : readGroups(runAs),
    ipv6: existsSync('/proc/sys/net/ipv6'),
    udev: existsSync('/run/udev/control'),
    uses: Object.fromEntries(cards.map((card) => [card.name, readCardUses(card)])),
    taken: readTaken(Object.values(links), options),
    ways: known ? readWays([...parents, ...(options.cards ?? [])]) : {},
  };
}

const readWays = (cards: readonly string[]): Record<string, HostAccessFact> =>
  Object.fromEntries(cards.map((card) => [card, readHostAccess(card)]));

/** One that is down does not say whether a program has it. */
function readTaken(links: readonly HostLink[], { ownPid }: LinkDoorOptions): Record<string, string> {
  const taken: Record<string, string> = {};
  for (const { name, tap } of links) {
    if (tap === undefined || tap.attached === false) continue;
    const holder = findHolderOfTap(name);
    if (holder === undefined ? tap.attached === true : holder.pid !== ownPid?.())
      taken[name] = holder === undefined ? '' : holderInWords(holder);
  }
  return taken;
}

function namesOf(nic: Nic): string[] {
  if (nic.kind === 'macvtap') return [nic.parent];
  if (nic.kind !== 'tap') return [];
  return [nic.device, nic.bridge].filter((name) => name !== undefined);
}

function readNamed(names: readonly string[]): Record<string, HostLink> {
  const found = names.map((name) => readHostLink(name)).filter((link) => link !== undefined);
  return Object.fromEntries(found.map((link) => [link.name, link]));
}

/** Who may do what takes root. @throws QrunError for a config.yaml that is wrong */
export async function readRights(system: System, places: Places): Promise<Pick<LinkDoor, 'rights' | 'sudo'>> {
  if (system.uid === 0) return { rights: hasNetAdmin(textOf('/proc/self/status')) ? 'own' : 'contained' };
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
