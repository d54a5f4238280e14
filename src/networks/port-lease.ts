/**
 * Which port of a network of root's a VM's NIC gets: the one that it had last, else one that nobody ever had, else the one that is unused for longest.
 * Nothing is taken here: the step does that, and when somebody was faster, it is chosen anew.
 */
import { existsSync } from 'node:fs';
import { digestOf } from '../digest.ts';
import { QrunError } from '../errors.ts';
import { userNameOf } from '../host/accounts.ts';
import type { ChosenPort } from '../host/facts.ts';
import { readHostLink } from '../host/host-link.ts';
import type { VmName } from '../names.ts';
import type { HostNetwork, HostPort, PortHolder } from '../network/host-network.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import { vmFiles } from '../plan/vm-files.ts';
import type { Profile } from '../profile/profile.ts';
import { readPortUse, tryPort, type PortUse } from '../resources/port-lease.ts';
import { delay } from '../system/delay.ts';
import type { System } from '../system/system.ts';
import type { NetworkContext } from './context.ts';
import { isFree } from './port-health.ts';

type Look = Pick<NetworkContext, 'places' | 'system'> & {
  /** Nothing is started: where all are taken, the one that would be next is as good as another to be shown. */
  readonly shows?: boolean;
};

/** By NIC id, for each NIC on a network that hands out ports. */
export interface Choice {
  readonly ports: Readonly<Record<string, ChosenPort>>;
  /** Why it gets none, where it may go by the bridge helper instead. */
  readonly portFaults: Readonly<Record<string, QrunError>>;
}

/** @throws QrunError where nothing but a port will do: `in-use` when all are taken, `permission`, `host-failed` */
export async function choosePorts(
  { name, nics }: Pick<Profile, 'name' | 'nics'>,
  networks: Readonly<Record<string, NetworkPlan>>,
  look: Look,
): Promise<Choice> {
  const chosen: Record<string, ChosenPort> = {};
  const faults: Record<string, QrunError> = {};
  for (const nic of nics) {
    if (nic.kind !== 'network') continue;
    const attach = networks[nic.network]?.attach;
    if (attach?.by !== 'port' || look.system.uid === 0) continue;
    const { host } = attach;
    try {
      const found = await chooseFor({ vm: name, nic: nic.id }, { host, chosen, look });
      chosen[nic.id] = found;
      if (found.taken !== undefined && mayGoByHelper(host)) faults[nic.id] = found.taken;
    } catch (error) {
      if (!(error instanceof QrunError) || !mayGoByHelper(host)) throw error;
      faults[nic.id] = error;
    }
  }
  return { ports: chosen, portFaults: faults };
}

/** A tap that the helper makes is kept from no other. */
const mayGoByHelper = ({ forward, definition }: HostNetwork): boolean =>
  forward === 'bridge' && !definition.isolatedPorts;

interface ChooseFrom {
  readonly host: HostNetwork;
  /** For the NICs before it. */
  readonly chosen: Readonly<Record<string, ChosenPort>>;
  readonly look: Look;
}

async function chooseFor(
  { vm, nic }: { readonly vm: VmName; readonly nic: string },
  { host, chosen, look }: ChooseFrom,
): Promise<ChosenPort> {
  requireMember(host, look);
  const holder: PortHolder = { uid: look.system.uid, state: digestOf(look.places.state), vm, nic };
  const others = new Set(Object.values(chosen).map(({ port }) => port.lock));
  const ports = host.ports.filter(({ lock, device }) => !others.has(lock) && readHostLink(device) !== undefined);
  const runs = existsSync(vmFiles(look.places, vm).run);
  return await choosePatiently(host, ports, { holder, runs, shows: look.shows === true });
}

interface Use {
  readonly port: HostPort;
  readonly use: PortUse | undefined;
}

const isOf = (use: PortUse | undefined, holder: PortHolder): boolean =>
  use !== undefined && (['uid', 'state', 'vm', 'nic'] as const).every((key) => use[key] === holder[key]);

interface For {
  readonly holder: PortHolder;
  readonly runs: boolean;
  readonly shows: boolean;
}

const looks = 4;
const betweenMs = 25;

/** Somebody else who looks has a lock for a moment, and who has just taken one has not yet written who he is: that is waited out. */
async function choosePatiently(host: HostNetwork, ports: readonly HostPort[], who: For): Promise<ChosenPort> {
  for (let look = 1; ; look += 1) {
    const uses = ports.map((port): Use => ({ port, use: readPortUse(port.lock) }));
    const found = choose(uses, who);
    if (found !== undefined) return found;
    if (look >= looks) return orToShow(allTaken(host, uses, who.holder.uid), uses, who);
    await delay(betweenMs);
  }
}

/** The port that this VM had, else any. @throws QrunError why there is none, where one is needed */
function orToShow(taken: QrunError, uses: readonly Use[], { holder, shows }: For): ChosenPort {
  const shown = uses.find(({ use }) => isOf(use, holder)) ?? uses[0];
  if (!shows || shown === undefined) throw taken;
  return { port: shown.port, holder, taken };
}

function choose(uses: readonly Use[], { holder, runs }: For): ChosenPort | undefined {
  const own = uses.find(({ use }) => isOf(use, holder));
  // while this VM runs, its own QEMU has it: what it would get can be shown all the same
  if (own !== undefined && (runs || isFree(own.port.lock))) return { port: own.port, holder };
  const inOrder = uses.toSorted((a, b) => (a.use?.at ?? '').localeCompare(b.use?.at ?? ''));
  const free = inOrder.find(({ port }) => isFree(port.lock));
  if (free === undefined) return undefined;
  const { port, use } = free;
  return { port, holder, ...(use !== undefined && { before: nameOf(use, holder.uid) }) };
}

/** Of one's own VMs the name; of others', whose they are. */
const nameOf = ({ uid, vm }: PortUse, own: number): string =>
  uid === own ? vm : `a VM of ${userNameOf(uid) ?? `uid ${uid}`}`;

/** Each once: several VMs of one user are several. Pure. */
export function portHoldersInWords(uses: readonly PortUse[], own: number): string[] {
  const mine = uses.flatMap(({ uid, vm }) => (uid === own ? [vm] : []));
  const uids = new Set(uses.flatMap(({ uid }) => (uid === own ? [] : [uid])));
  const others = [...uids].map((uid) => {
    const theirs = uses.filter((use) => use.uid === uid);
    const count = new Set(theirs.map(({ state, vm }) => `${state}/${vm}`)).size;
    return `${count === 1 ? 'a VM' : 'VMs'} of ${userNameOf(uid) ?? `uid ${uid}`}`;
  });
  return [...new Set(mine), ...others];
}

function allTaken({ name, ports }: HostNetwork, uses: readonly Use[], own: number): QrunError {
  if (uses.length === 0) {
    return new QrunError('host-failed', `network ${name}: none of its ports is there any more`, {
      hint: `sudo qrun net up ${name}`,
    });
  }
  const names = portHoldersInWords(
    uses.flatMap(({ use }) => use ?? []),
    own,
  );
  const vms = [...new Set(uses.flatMap(({ use }) => (use?.uid === own ? [use.vm] : [])))];
  return new QrunError(
    'in-use',
    `network ${name}: ${ports.length === 1 ? 'its port is' : `all of its ${ports.length} ports are`} taken${names.length === 0 ? '' : `, by ${names.join(', ')}`}`,
    { hint: vms.length > 0 ? `qrun stop ${vms[0]}` : 'more ports: a larger "ports" in its definition' },
  );
}

function requireMember(host: HostNetwork, { system }: Look): void {
  const fault = faultOfMember(host, system);
  if (fault !== undefined) throw fault;
}

/** Why this user may take no port of it. */
export function faultOfMember(
  { name, user, group, definition }: HostNetwork,
  { uid, gid }: Pick<System, 'uid' | 'gid'>,
): QrunError | undefined {
  if (user === uid) return undefined;
  if (group !== undefined && [gid, ...(process.getgroups?.() ?? [])].includes(group)) return undefined;
  const me = userNameOf(uid);
  if (definition.ports === undefined) {
    return new QrunError('permission', `network ${name} has no ports for ordinary users`, {
      hint: `ports: 4 and owner: ${me ?? uid} in ${definition.file}; then: sudo qrun net down ${name}; sudo qrun net up ${name}`,
    });
  }
  return new QrunError('permission', `network ${name}: its ports are for ${takersOf({ group, definition })}`, {
    hint:
      definition.group === undefined
        ? `owner: ${me ?? uid} in ${definition.file}, and sudo qrun net up ${name}`
        : `sudo usermod -aG ${definition.group} ${me ?? uid}, and log in again`,
  });
}

/** In words. */
export const takersOf = ({
  group,
  definition,
}: {
  readonly group?: number | undefined;
  readonly definition: Pick<HostNetwork['definition'], 'owner' | 'group'>;
}): string => definition.owner ?? `the group ${definition.group ?? group ?? ''}`;

export interface PortMember {
  /** Of another user's: `alice/web1`. */
  readonly vm: string;
  readonly nic: string;
  readonly mac: string;
  readonly since: string;
}

/** Who has which port now, as far as this user may look. */
export const readPortMembers = ({ ports }: HostNetwork, uid: number): PortMember[] =>
  ports.flatMap((port) => (isBusy(port.lock) ? usersOf(port, uid) : []));

/** Who has which port, or had it last: it is kept. */
export const readPortUsers = ({ ports }: HostNetwork, uid: number): PortMember[] =>
  ports.flatMap((port) => usersOf(port, uid));

function usersOf({ lock, mac }: HostPort, uid: number): PortMember[] {
  const use = readPortUse(lock);
  if (use === undefined) return [];
  const { vm, nic, at } = use;
  return [{ vm: use.uid === uid ? vm : `${userNameOf(use.uid) ?? use.uid}/${vm}`, nic, mac, since: at }];
}

function isBusy(lock: string): boolean {
  try {
    return !isFree(lock);
  } catch {
    return false;
  }
}

/** The locks of all ports, for root while the network goes; `busy`: of those that are in use. */
export function lockPorts({ ports }: HostNetwork): { readonly locks: number[]; readonly busy: readonly string[] } {
  const locks: number[] = [];
  const busy: string[] = [];
  for (const { lock, device } of ports) {
    const fd = tryPort(lock);
    if (fd !== undefined) locks.push(fd);
    // without its file it was never given to anybody
    else if (existsSync(lock)) busy.push(`${device} by ${wordOf(readPortUse(lock))}`);
  }
  return { locks, busy };
}

function wordOf(use: PortUse | undefined): string {
  if (use === undefined) return 'somebody';
  return `${use.vm} of ${userNameOf(use.uid) ?? `uid ${use.uid}`}`;
}
