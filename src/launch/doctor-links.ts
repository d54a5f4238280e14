/** What `qrun doctor` says of taps and macvtaps (`kind: tap`, `macvtap`): devices, rights, filters. */
import { existsSync } from 'node:fs';
import { readGroups, readIdentity, readRunAs } from '../host/accounts.ts';
import type { BlockedBy } from '../host/blocked-by.ts';
import { readTun, type TunFact } from '../host/bridge-door.ts';
import type { RunAs } from '../host/facts.ts';
import { accessOf } from '../host/file-access.ts';
import { blockedBy } from '../host/blocked-by.ts';
import { listHostLinks, readHostLink, sysfsIsOwn, type HostLink } from '../host/host-link.ts';
import { hasNetAdmin } from '../host/link-door.ts';
import { orNone, type QrunError } from '../errors.ts';
import { isLinkName } from '../link-name.ts';
import type { Settings } from '../profile/settings.ts';
import type { Profile } from '../profile/profile.ts';
import { shellWord } from '../shell-word.ts';
import { textOf } from '../system/glance.ts';
import type { System } from '../system/system.ts';
import type { Check } from './doctor.ts';
import { failed } from './doctor-profile.ts';
import { faultOfSudo } from './doctor-sudo.ts';

/** Who QEMU runs as. */
interface Who {
  readonly uid: number;
  readonly name: string;
  readonly groups: readonly number[];
}

/** @param sudo of config.yaml @param profile undefined: the whole host */
export function examineLinks(system: System, sudo: Settings['sudo'], profile?: Pick<Profile, 'nics'>): Check[] {
  const user = readIdentity(system);
  const runAs = system.uid === 0 ? orNone(() => readRunAs(system, undefined)) : undefined;
  const who: Who = {
    uid: runAs?.uid ?? system.uid,
    name: runAs?.name ?? user.name,
    groups: runAs === undefined ? [system.gid, ...(process.getgroups?.() ?? [])] : readGroups(runAs),
  };
  const rights = system.uid !== 0 ? sudo : hasNetAdmin(textOf('/proc/self/status')) ? 'own' : 'contained';
  const known = sysfsIsOwn();
  const links = known ? listHostLinks().slice(0, mostLinks) : [];
  const taps = links.flatMap((name) => readHostLink(name) ?? []).filter(isPrepared);
  return [
    checkOfTun(readTun(runAs, user), who.name),
    checkOfVhost(readVhost(runAs, user), who.name),
    checkOfRights(rights, rights === 'ask' || rights === 'noninteractive' ? faultOfSudo(system, rights) : undefined),
    checkOfTaps(taps, who),
    checkOfReversePath(readFilters(profile === undefined ? links : parentsOf(profile)), profile !== undefined),
  ];
}

const mostLinks = 200;

/** Not those that a running VM has from the bridge helper, or that qrun made. */
const isPrepared = ({ kind, name, tap }: HostLink): boolean =>
  kind === 'tap' && tap?.transient !== true && !isLinkName(name);

/** @param user who QEMU runs as */
export function checkOfTun({ state, blocked }: TunFact, user: string): Check {
  const base = { id: 'tun', what: '/dev/net/tun (kind: tap, bridge)' };
  const warn = (evidence: string, mend: string | null): Check => ({ ...base, state: 'warn', evidence, mend });
  switch (state) {
    case 'ok':
      return { ...base, state, evidence: `${quoted(user)} may open it`, mend: null };
    case 'absent':
      return warn('there is none', 'sudo modprobe tun');
    case 'no-driver':
      return warn('it is there, and the kernel has no driver for it', 'sudo modprobe tun');
    case 'refused':
      return warn('the kernel refuses it, whatever its mode says (a container without that device)', null);
    case 'blocked':
      return warn(blockedInWords(blocked, user), mendBlocked(blocked, user) ?? 'sudo chmod 0666 /dev/net/tun');
  }
}

/** Root's QEMU runs as nobody, and nobody may open much. */
const quoted = (user: string): string => (user === 'nobody' ? 'the user nobody' : user);

const blockedInWords = (blocked: BlockedBy | undefined, user: string): string =>
  blocked?.member === true
    ? `${user} is in the group ${blocked.group ?? ''} that may open it, but this session began before that`
    : `${quoted(user)} may not open it`;

function mendBlocked(blocked: BlockedBy | undefined, user: string): string | undefined {
  if (blocked?.group === undefined) return undefined;
  return blocked.member ? `newgrp ${blocked.group}` : `sudo usermod -aG ${blocked.group} ${user}`;
}

export interface VhostState {
  readonly state: 'ok' | 'absent' | 'blocked';
  readonly blocked?: BlockedBy;
}

export function checkOfVhost({ state, blocked }: VhostState, user: string): Check {
  const base = { id: 'vhost', what: '/dev/vhost-net (vhost: the kernel carries the frames)' };
  if (state === 'ok') return { ...base, state, evidence: `${quoted(user)} may open it`, mend: null };
  if (state === 'absent')
    return {
      ...base,
      state: 'warn',
      evidence: 'there is none: QEMU carries the frames',
      mend: 'sudo modprobe vhost_net',
    };
  const mend = mendBlocked(blocked, user) ?? `sudo setfacl -m u:${user}:rw /dev/vhost-net`;
  return { ...base, state: 'warn', evidence: `${blockedInWords(blocked, user)}: QEMU carries the frames`, mend };
}

function readVhost(runAs: RunAs | undefined, user: Pick<RunAs, 'name' | 'gid'>): VhostState {
  const file = '/dev/vhost-net';
  if (!existsSync(file)) return { state: 'absent' };
  if (accessOf(runAs).mayWrite(file)) return { state: 'ok' };
  return { state: 'blocked', blocked: blockedBy(file, 6, runAs ?? user) };
}

/** `own`: root. `contained`: root without CAP_NET_ADMIN. Else what config.yaml says of sudo. @param fault of that sudo */
export function checkOfRights(rights: 'own' | 'contained' | Settings['sudo'], fault?: QrunError): Check {
  const base = { id: 'link-rights', what: 'taps and macvtaps that qrun makes' };
  switch (rights) {
    case 'own':
      return { ...base, state: 'ok', evidence: 'root makes them', mend: null };
    case 'contained':
      return {
        ...base,
        state: 'warn',
        evidence: 'root has no CAP_NET_ADMIN here (a container)',
        mend: 'start the container with --cap-add NET_ADMIN',
      };
    case 'never':
      return {
        ...base,
        state: 'warn',
        evidence: 'config.yaml does not allow sudo: only taps that are there already, and kind: bridge',
        mend: 'sudo qrun run NAME',
      };
    default:
      if (fault !== undefined) return { ...base, ...failed(fault), state: 'warn' };
      return { ...base, state: 'ok', evidence: `with sudo, which config.yaml allows (sudo: ${rights})`, mend: null };
  }
}

/** Those that were made for this user. That there is none is no fault. */
export function checkOfTaps(taps: readonly HostLink[], who: Who): Check {
  const base = { id: 'taps', what: 'taps of this host for the user (kind: tap)' };
  const own = taps.filter(({ tap }) => mayUse(tap, who));
  // one that a program has open is that program's: what the bridge helper makes has no owner either, and goes with its QEMU
  const open = taps.filter(({ tap }) => tap?.owner === undefined && tap?.group === undefined && tap?.attached !== true);
  if (open.length > 0) {
    const [first] = open.map(({ name }) => shellWord(name));
    return {
      ...base,
      state: 'warn',
      evidence: `${open.map(inWords).join(', ')}: without an owner, so that every user can take it`,
      mend: `sudo ip tuntap del dev ${first} mode tap && sudo ip tuntap add dev ${first} mode tap user ${who.name} vnet_hdr`,
    };
  }
  const none = taps.length === 0 ? 'there is none' : `none of ${taps.length} is for ${who.name}`;
  return { ...base, state: 'ok', evidence: own.length === 0 ? none : own.map(inWords).join(', '), mend: null };
}

function mayUse(tap: HostLink['tap'], { uid, groups }: Who): boolean {
  if (tap === undefined) return false;
  return (tap.owner === undefined || tap.owner === uid) && (tap.group === undefined || groups.includes(tap.group));
}

function inWords({ name, master, up, tap }: HostLink): string {
  const also = [
    ...(master === undefined ? [] : [`on ${master}`]),
    ...(up ? [] : ['down']),
    ...(tap?.multiQueue === true ? ['several queues'] : []),
  ];
  return also.length === 0 ? name : `${name} (${also.join(', ')})`;
}

export interface FilterFact {
  /** net.ipv4.conf.all.rp_filter; the greater one of it and the interface's counts. */
  readonly all: number;
  readonly links: Readonly<Record<string, number>>;
}

const strict = 1;

/** The planner refuses such a parent where hostAccess is asked for. @param needed by a profile */
export function checkOfReversePath({ all, links }: FilterFact, needed: boolean): Check {
  const base = { id: 'rp-filter', what: 'reverse path filter (kind: macvtap with hostAccess)' };
  const found = Object.keys(links).filter((name) => Math.max(all, links[name] ?? 0) === strict);
  if (found.length === 0)
    return {
      ...base,
      state: 'ok',
      evidence: `net.ipv4.conf.all.rp_filter is ${all}, and no card is strict`,
      mend: null,
    };
  return {
    ...base,
    state: needed ? 'fail' : 'warn',
    evidence: `rp_filter is 1 (strict) for ${found.join(', ')}: answers that go another way are dropped`,
    mend: `sudo sysctl -w ${['all', ...(needed ? found : [])].map((name) => `net.ipv4.conf.${name}.rp_filter=2`).join(' ')}`,
  };
}

const parentsOf = ({ nics }: Pick<Profile, 'nics'>): string[] =>
  nics.flatMap((nic) => (nic.kind === 'macvtap' && nic.hostAccess ? [nic.parent] : []));

function readFilters(names: readonly string[]): FilterFact {
  const read = (name: string): number => Number.parseInt(textOf(`/proc/sys/net/ipv4/conf/${name}/rp_filter`), 10) || 0;
  const cards = names.filter((name) => name !== 'lo' && existsSync(`/proc/sys/net/ipv4/conf/${name}`));
  return { all: read('all'), links: Object.fromEntries(cards.map((name) => [name, read(name)])) };
}
