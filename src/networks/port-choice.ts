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
import { portInWords, type HostNetwork, type HostPort, type PortHolder } from '../network/host-network.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import { vmFiles } from '../plan/vm-files.ts';
import type { Profile } from '../profile/profile.ts';
import { readPortUse, type PortUse } from '../resources/port-lease.ts';
import { delay } from '../system/delay.ts';
import type { NetworkContext } from './context.ts';
import { isFree } from './port-health.ts';
import { faultOfMember } from './port-takers.ts';

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
    // of a VM with several NICs there, the first is the one that is known by the VM's name
    const isFirst = nics.find((one) => one.kind === 'network' && one.network === nic.network) === nic;
    const kept = isFirst ? keptFor(name, host, look) : undefined;
    const mayGoByHelper = kept === undefined && isOpenToHelper(host);
    try {
      const siblings = nics.filter((one) => one !== nic && one.kind === 'network' && one.network === nic.network);
      const who = { vm: name, nic: nic.id, siblings: siblings.map(({ id }) => id), kept };
      const found = await chooseFor(who, { host, chosen, look });
      chosen[nic.id] = found;
      if (found.taken !== undefined && mayGoByHelper) faults[nic.id] = found.taken;
    } catch (error) {
      if (!(error instanceof QrunError) || !mayGoByHelper) throw error;
      faults[nic.id] = error;
    }
  }
  return { ports: chosen, portFaults: faults };
}

/** Onto a bridge of the host's: one of qrun's own is no bridge that bridge.conf allows. A tap that the helper makes is kept from no other. */
const isOpenToHelper = ({ definition }: HostNetwork): boolean =>
  definition.forward === 'bridge' && !definition.isolatedPorts;

/** The one that root keeps for a VM of this name of this user's. */
const keptFor = (vm: VmName, { ports }: HostNetwork, { system }: Look): HostPort | undefined =>
  ports.find(({ kept }) => kept?.uid === system.uid && kept.vm === vm);

interface ChooseOf {
  readonly vm: VmName;
  readonly nic: string;
  /** Other NICs of the VM on this network. */
  readonly siblings: readonly string[];
  /** This one and no other. */
  readonly kept: HostPort | undefined;
}

interface ChooseFrom {
  readonly host: HostNetwork;
  /** For the NICs before it. */
  readonly chosen: Readonly<Record<string, ChosenPort>>;
  readonly look: Look;
}

async function chooseFor(of: ChooseOf, { host, chosen, look }: ChooseFrom): Promise<ChosenPort> {
  const { vm, nic, siblings, kept: own } = of;
  requireMember(host, look);
  const holder: PortHolder = { uid: look.system.uid, state: digestOf(look.places.state), vm, nic };
  const others = new Set(Object.values(chosen).map(({ port }) => port.lock));
  const ports = host.ports.filter(({ lock, device }) => !others.has(lock) && readHostLink(device) !== undefined);
  const mine = ports.filter((one) => (own === undefined ? one.kept === undefined : one === own));
  const runs = existsSync(vmFiles(look.places, vm).run);
  const found = await choosePatiently(host, mine, { holder, siblings, runs, shows: look.shows === true });
  return own === undefined ? found : { ...found, ...insteadOf(own, ports, holder) };
}

/** What it had last, where that was another one. */
function insteadOf(own: HostPort, ports: readonly HostPort[], holder: PortHolder): Pick<ChosenPort, 'instead'> {
  const [last] = lastOf(ports, holder);
  if (last === undefined || last.port === own) return {};
  return { instead: last.port };
}

/** Those that a VM had, the latest first. */
const lastOf = (ports: readonly HostPort[], holder: PortHolder): Use[] =>
  ports
    .map((port): Use => ({ port, use: readPortUse(port.lock) }))
    .filter(({ use }) => isOf(use, holder))
    .toSorted((a, b) => (b.use?.at ?? '').localeCompare(a.use?.at ?? ''));

interface Use {
  readonly port: HostPort;
  readonly use: PortUse | undefined;
}

const isOf = (use: PortUse | undefined, holder: PortHolder): boolean =>
  use !== undefined && (['uid', 'state', 'vm', 'nic'] as const).every((key) => use[key] === holder[key]);

interface For {
  readonly holder: PortHolder;
  /** NICs whose ports are taken for this one last of all: they are to have them again. */
  readonly siblings: readonly string[];
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

function choose(uses: readonly Use[], { holder, siblings, runs }: For): ChosenPort | undefined {
  const own = uses
    .filter(({ use }) => isOf(use, holder))
    .toSorted((a, b) => (b.use?.at ?? '').localeCompare(a.use?.at ?? ''))[0];
  // while this VM runs, its own QEMU has it: what it would get can be shown all the same
  if (own !== undefined && (runs || isFree(own.port.lock))) return { port: own.port, holder };
  const isOfSibling = ({ use }: Use): boolean => siblings.some((nic) => isOf(use, { ...holder, nic }));
  const inOrder = uses.toSorted(
    (a, b) => Number(isOfSibling(a)) - Number(isOfSibling(b)) || (a.use?.at ?? '').localeCompare(b.use?.at ?? ''),
  );
  const free = inOrder.find(({ port }) => isFree(port.lock));
  if (free === undefined) return undefined;
  const { port, use } = free;
  // one that is kept for it is given on by nobody
  const isGivenOn = use !== undefined && port.kept === undefined;
  return { port, holder, ...(isGivenOn && { before: nameOf(use, holder.uid) }) };
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
  const kept = ports.filter((port) => port.kept !== undefined).length;
  if (uses.length === 0 && kept === ports.length && kept > 0) {
    return new QrunError(
      'in-use',
      `network ${name}: ${kept === 1 ? 'its port is' : `all of its ${kept} ports are`} kept for VMs that its definition or a forward names`,
      { hint: 'more ports: a larger "ports" in its definition' },
    );
  }
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
    `network ${name}: ${portsInWords(uses, ports.length - kept)} taken${names.length === 0 ? '' : `, by ${names.join(', ')}`}`,
    { hint: vms.length > 0 ? `qrun stop ${vms[0]}` : 'more ports: a larger "ports" in its definition' },
  );
}

/** Those that it may have: the one that is kept for it, or those that are kept for nobody. */
function portsInWords(uses: readonly Use[], open: number): string {
  const own = uses.find(({ port }) => port.kept !== undefined)?.port;
  if (own !== undefined) return `${portInWords(own)}, which is kept for this VM, is`;
  return open === 1 ? 'its port is' : `all of its ${open} ports are`;
}

function requireMember(host: HostNetwork, { system }: Look): void {
  const fault = faultOfMember(host, system);
  if (fault !== undefined) throw fault;
}
