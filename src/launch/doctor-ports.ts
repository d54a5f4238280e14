/** What `qrun doctor` says of networks of root's: their ports, and what a NIC on one needs of this host. */
import { readHostLink, sysfsIsOwn, type HostLink } from '../host/host-link.ts';
import { QrunError } from '../errors.ts';
import { isVmName } from '../names.ts';
import type { HostNetwork } from '../network/host-network.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { Network } from '../network/network.ts';
import { attachOfPool } from '../network/pools/card.ts';
import { isPool } from '../network/pools/mode.ts';
import { onPools } from '../nic/network-pool.ts';
import { scopeOf } from '../network/scope.ts';
import { readHostNetwork } from '../networks/host-networks.ts';
import { listNetworkNames } from '../networks/names.ts';
import { faultyPorts, isFree, readPortFaults, type PortFault } from '../networks/port-health.ts';
import { faultOfMember, takersOf } from '../networks/port-takers.ts';
import { hostNetworkMeant, readDefinition } from '../networks/prepare-network.ts';
import type { NicKindName, Profile } from '../profile/profile.ts';
import { shellWord } from '../shell-word.ts';
import type { Check } from './doctor.ts';
import type { LaunchContext } from './prepare.ts';

/** A NIC as far as the host's checks go: one on a network of root's is on a port, or on the bridge by the helper. */
export interface CheckedNic {
  readonly kind: NicKindName | 'port-tap' | 'port-macvtap' | 'port-vde';
  readonly bridge?: string | undefined;
}

export interface PortNetwork {
  readonly name: string;
  /** Absent: it is not up. */
  readonly up?: {
    readonly on: string;
    /** Who may take a port, in words. */
    readonly takers: string;
    readonly base?: Pick<HostLink, 'up'>;
    readonly count: number;
    readonly faults: readonly PortFault[];
    /** Whole ones that nobody has; undefined: this user may take none, or need not. */
    readonly free?: number;
    /** Why this user may take none. */
    readonly closed?: QrunError;
  };
}

/** @param wanted names of the networks of a profile; undefined: the whole host */
export async function examinePorts(context: LaunchContext, wanted?: readonly string[]): Promise<Check[]> {
  const names = wanted ?? listNetworkNames(context.places);
  const found: PortNetwork[] = [];
  for (const name of names) found.push(...(await readPortNetwork(name, wanted !== undefined, context)));
  return [checkOfPorts(found, wanted !== undefined)];
}

/** None for a network that has no ports. */
async function readPortNetwork(name: string, needed: boolean, context: LaunchContext): Promise<PortNetwork[]> {
  if (!isVmName(name)) return [];
  const meant = (): Promise<HostNetwork | undefined> | HostNetwork | undefined =>
    needed && context.system.uid !== 0 ? hostNetworkMeant(name, context) : readHostNetwork(name, context);
  const host = sysfsIsOwn() ? await meant() : undefined;
  if (host === undefined) return (await readSystemDefinition(name, context))?.ports === undefined ? [] : [{ name }];
  const { on, ports, definition, group } = host;
  const base = readHostLink(on);
  const closed = context.system.uid === 0 ? undefined : faultOfMember(host, context.system);
  // why a user gets none is for who wants one
  if (ports.length === 0 && (closed === undefined || !needed)) return [];
  return [
    {
      name,
      up: {
        ...{ on, count: ports.length, faults: readPortFaults(host), takers: takersOf({ group, definition }) },
        ...(base !== undefined && { base }),
        ...(closed === undefined ? { free: countFree(host) } : { closed }),
      },
    },
  ];
}

function countFree(host: HostNetwork): number {
  const faulty = faultyPorts(host);
  return host.ports.filter(({ device, lock }) => !faulty.includes(device) && isFree(lock)).length;
}

/** Undefined: there is none of that name, it has faults, or it is of scope user. */
async function readSystemDefinition(name: string, context: LaunchContext): Promise<Network | undefined> {
  try {
    const definition = await readDefinition(name, context);
    return scopeOf(definition, context.system.uid) === 'system' ? definition : undefined;
  } catch (error) {
    if (error instanceof QrunError) return undefined;
    throw error;
  }
}

/** @param needed by a profile: what is no fault of the host's keeps that from a port all the same */
export function checkOfPorts(networks: readonly PortNetwork[], needed: boolean): Check {
  const base = { id: 'ports', what: "ports of root's networks for ordinary users (kind: network)" };
  const findings = networks.map((network) => findingOf(network, needed));
  const first = findings.find(({ mend }) => mend !== undefined);
  const told = first === undefined ? findings : findings.filter(({ mend }) => mend !== undefined);
  return {
    ...base,
    state: first === undefined ? 'ok' : 'warn',
    evidence: told.length === 0 ? 'there is no such network' : told.map(({ evidence }) => evidence).join('; '),
    mend: first?.mend ?? null,
  };
}

/** `mend`: something is wrong. */
function findingOf({ name, up }: PortNetwork, needed: boolean): { evidence: string; mend?: string } {
  const again = `sudo qrun net up ${name}`;
  if (up === undefined) return { evidence: `${name} is not up`, ...(needed && { mend: again }) };
  const { on, base, faults, free, closed, count, takers } = up;
  const where = `${name} on ${on}`;
  if (base === undefined)
    return { evidence: `${where}: there is no ${on} any more`, mend: `sudo qrun net down ${name}` };
  if (faults.length > 0)
    return {
      evidence: `${name}: ${faults.map(({ device, what }) => `${device}${what.startsWith(':') ? '' : ' '}${what}`).join(', ')}`,
      mend: again,
    };
  if (!base.up)
    return { evidence: `${where}: ${on} is down: nothing passes`, mend: `sudo ip link set dev ${shellWord(on)} up` };
  if (closed !== undefined && needed) return { evidence: closed.message, mend: closed.hint ?? again };
  const all = `${count} ${count === 1 ? 'port' : 'ports'} for ${takers}`;
  if (free === 0 && needed) return { evidence: `${where}: ${all}, none of them free`, mend: `qrun net info ${name}` };
  return { evidence: `${where}: ${all}${free === undefined ? '' : `, ${free} free`}` };
}

/** Root's NICs on networks that are cards of the host's are macvtaps and functions of cards like any other. */
export async function asOnCards(profile: Profile, context: LaunchContext): Promise<Profile> {
  if (context.system.uid !== 0) return profile;
  const networks: Record<string, Pick<NetworkPlan, 'attach'>> = {};
  for (const nic of profile.nics) {
    const definition = nic.kind === 'network' ? await readSystemDefinition(nic.network, context) : undefined;
    const card = definition?.bridge?.uplink;
    if (definition === undefined || card === undefined || !isPool(definition.forward)) continue;
    networks[definition.name] = { attach: attachOfPool(definition, { name: card, mtu: 0 }) };
  }
  return onPools(profile, networks);
}

/** A profile's NICs, those on networks of root's as what they come to on this host. Root's own VMs have no ports. */
export async function nicsOnHost({ nics }: Pick<Profile, 'nics'>, context: LaunchContext): Promise<CheckedNic[]> {
  const found: CheckedNic[] = [];
  for (const nic of nics) found.push(...(nic.kind === 'network' ? await waysOnto(nic.network, context) : [nic]));
  return found;
}

async function waysOnto(name: string, context: LaunchContext): Promise<CheckedNic[]> {
  const onUsers: CheckedNic[] = [{ kind: 'network' }];
  if (context.system.uid === 0 || !isVmName(name)) return onUsers;
  const host = await hostNetworkMeant(name, context);
  if (host !== undefined) {
    if (host.forward === 'macvtap') return [{ kind: 'port-macvtap' }];
    if (host.forward === 'hostdev') return onUsers;
    const port: CheckedNic = { kind: host.vde === undefined ? 'port-tap' : 'port-vde', bridge: host.on };
    const hasPort = faultOfMember(host, context.system) === undefined && countFree(host) > 0;
    return hasPort ? [port] : [port, { kind: 'bridge', bridge: host.on }];
  }
  const definition = await readSystemDefinition(name, context);
  if (definition?.forward === 'macvtap') return [{ kind: 'port-macvtap' }];
  if (definition?.forward !== 'bridge') return onUsers;
  const { ports, bridge } = definition;
  const byHelper: CheckedNic = { kind: 'bridge', bridge: bridge?.name };
  return ports === undefined ? [byHelper] : [{ kind: 'port-tap', bridge: bridge?.name }, byHelper];
}
