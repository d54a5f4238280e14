/** Everything that can be told of one network. Read only. */
import { addressesMet, mostTelling, readNeighbours } from '../host/neighbours.ts';
import { isVmName, parseNetworkName, type VmName } from '../names.ts';
import type { HostNetwork } from '../network/host-network.ts';
import { hostNetworkOf, type NetworkForward, type NetworkPlan, type NetworkPlanLink } from '../network/network-plan.ts';
import type { NetworkName } from '../network/network.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import { asDefined, asItRuns, type NetworkWays } from './as-defined.ts';
import { startsWithHost } from './autostart.ts';
import type { NetworkContext } from './context.ts';
import type { NetworkHealth } from './health.ts';
import { readForeignDrops, type ForeignDrop } from './foreign-drops.ts';
import { leasesOf } from './leases.ts';
import { requireKnownNetwork } from './names.ts';
import { listMembers, type Member } from './members.ts';
import { isCutOff, isLost } from './nic-state.ts';
import { outsideRoutes } from './outside-routes.ts';
import { readPortMembers, type PortMember } from './port-users.ts';
import { listPorts, type PortInfo } from './port-list.ts';
import { readDefinition } from './prepare-network.ts';
import type { NetworkRecord } from './record.ts';
import type { NetworkState } from './state.ts';
import { readStatusMeant } from './status-meant.ts';
import { faultOfWayOut } from './way-out.ts';
import { isLeftBehind } from './switch-health.ts';

export interface MemberInfo {
  readonly vm: string;
  readonly nic: string;
  readonly mac: string;
  /** The one that is kept for it, or, on a port of root's, at which this host has met it; null where there is none. */
  readonly ip: string | null;
  /** DHCP has handed it out. */
  readonly leased: boolean;
  /** The VM's: `running`, `paused`, …; `lost`: its cable leads nowhere any more, the VM must be started anew. */
  readonly state: string;
  readonly since: string;
}

export interface NetworkInfo extends NetworkWays {
  readonly name: NetworkName;
  readonly state: NetworkState;
  readonly description: string | null;
  /** Its definition's. */
  readonly file: string;
  readonly domain: string | null;
  /** A unit of systemd's starts it. */
  readonly autostart: boolean;
  readonly startedAt: string | null;
  readonly processes: readonly { readonly name: string; readonly pids: readonly number[] }[];
  /** What does not run and should. */
  readonly missing: readonly string[];
  /** The command that mends it; null where nothing is broken. */
  readonly mend: string | null;
  readonly members: readonly MemberInfo[];
  readonly forwards: readonly NetworkForward[];
  /** The host's, or, of macvtaps, the card that they stand on; null while it is not up, and where it has none. */
  readonly bridge: string | null;
  /** Of its guests, in bytes. */
  readonly mtu: number | null;
  /** The directory of the VDE switch that carries it; null while it is not up, and where none does. */
  readonly switch: string | null;
  /** VXLANs to other hosts. */
  readonly links: readonly NetworkPlanLink[];
  /** Those that root made for ordinary users. */
  readonly ports: readonly PortInfo[];
  /** What the router of the network outside is to be told of guests that are routed as they are. */
  readonly routes: readonly string[];
  /** What other firewalls drop of what it lets pass; only root is told, and of one that is up. */
  readonly firewall: readonly ForeignDrop[];
  readonly notes: readonly string[];
  /** Its own log. */
  readonly log: string | null;
}

export interface InfoContext extends NetworkContext {
  /** What a VM does. */
  readonly stateOf: (vm: VmName) => string;
}

/** @throws QrunError `unknown-name`; `invalid-network` for one that is not up and has faults */
export async function readNetworkInfo(argument: string, context: InfoContext): Promise<NetworkInfo> {
  const name = parseNetworkName(argument);
  requireKnownNetwork(name, context.places);
  const { state, record, health } = await readStatusMeant(name, context);
  const files = networkFiles(context.places, name);
  const definition = record?.definition ?? (await readDefinition(name, context));
  const ways = record === undefined ? asDefined(definition, context) : asItRuns(record);
  return {
    name,
    state,
    description: definition.description ?? null,
    file: definition.file,
    ...ways,
    domain: definition.dns.domain ?? null,
    autostart: startsWithHost({ name, scope: ways.scope }, context),
    startedAt: record?.startedAt ?? null,
    processes: Object.entries(health?.processes ?? {}).map(([program, pids]) => ({ name: program, pids })),
    missing: health?.missing ?? [],
    mend: state === 'broken' ? `${record?.plan.scope === 'system' ? 'sudo ' : ''}qrun net up ${name}` : null,
    members: record === undefined ? [] : membersOf(files, { record, health, context }),
    forwards: record?.forwards ?? [],
    ...wireOf(record),
    switch: switchOf(record),
    links: record?.plan.links ?? [],
    ports: portsOf(record, context),
    routes: ways.scope === 'system' ? outsideRoutes(definition) : [],
    firewall: record === undefined ? [] : await readForeignDrops(record, context),
    notes: record === undefined ? [] : [...record.plan.notes, ...wayOutOf(record)],
    log: record === undefined ? null : logOf(record.plan, files),
  };
}

function wayOutOf({ definition }: NetworkRecord): string[] {
  const fault = faultOfWayOut(definition);
  return fault === undefined ? [] : [fault];
}

/** Root's network has its log where root's state is, whoever asks. */
const logOf = ({ attach }: NetworkPlan, { log }: NetworkFiles): string | null =>
  attach.by === 'port' ? (attach.host.log ?? null) : log;

function portsOf(record: NetworkRecord | undefined, { system }: InfoContext): PortInfo[] {
  const host = record === undefined ? undefined : hostNetworkOf(record.plan);
  return host === undefined ? [] : listPorts(host, system.uid);
}

function wireOf(record: NetworkRecord | undefined): Pick<NetworkInfo, 'bridge' | 'mtu'> {
  const attach = record?.plan.attach;
  if (attach?.by === 'bridge') return { bridge: attach.bridge, mtu: attach.mtu };
  if (attach?.by === 'macvtap' || attach?.by === 'hostdev') return { bridge: attach.card, mtu: attach.mtu };
  return attach?.by === 'port' ? { bridge: attach.host.on, mtu: attach.host.mtu } : { bridge: null, mtu: null };
}

function switchOf(record: NetworkRecord | undefined): string | null {
  if (record === undefined) return null;
  const { attach } = record.plan;
  return attach.by === 'vde' ? attach.directory : (hostNetworkOf(record.plan)?.vde?.directory ?? null);
}

interface MembersWith {
  readonly record: NetworkRecord;
  readonly health: NetworkHealth | undefined;
  readonly context: InfoContext;
}

function membersOf(files: NetworkFiles, { record, health, context }: MembersWith): MemberInfo[] {
  const host = hostNetworkOf(record.plan);
  const leased = new Set(leasesOf(record, context).flatMap(({ mac, ip, fixed }) => (fixed ? [] : [`${mac} ${ip}`])));
  const onPorts = host === undefined ? [] : onPortsOf(host, { context, leased });
  if (record.plan.attach.by === 'port') return onPorts;
  const met = pools.includes(record.plan.attach.by) ? readNeighbours(context.system) : [];
  const own = listMembers(files).map((member): MemberInfo => {
    const { vm, nic, mac, since } = member;
    const ip = member.ip ?? mostTelling(addressesMet(mac, met))[0];
    return {
      vm,
      nic,
      mac,
      ip: ip ?? null,
      leased: leased.has(`${mac} ${ip ?? ''}`),
      state: stateOfMember(member, { record, health, context }),
      since,
    };
  });
  return [...onPorts, ...own];
}

/** Nobody hands out addresses there, but the host may have met its guests. */
const pools: readonly NetworkPlan['attach']['by'][] = ['macvtap', 'hostdev'];

function stateOfMember(member: Member, { record, health, context }: MembersWith): string {
  const state = isVmName(member.vm) ? context.stateOf(member.vm) : 'stopped';
  // one that starts has not got it yet
  const isCut = state !== 'stopped' && isCutOff(member.device);
  return isCut || isLost(member, { record, health }) ? 'lost' : state;
}

/** Guests of a network with DHCP of its own have the address of their port; others one at which this host may have met them. */
function onPortsOf(
  host: HostNetwork,
  { context, leased }: { readonly context: InfoContext; readonly leased: ReadonlySet<string> },
): MemberInfo[] {
  const { system } = context;
  const met = readNeighbours(system);
  const ipOf = (mac: string): string | null =>
    host.ports.find((port) => port.mac === mac)?.ip ?? mostTelling(addressesMet(mac, met))[0] ?? null;
  return readPortMembers(host, system.uid).map((member) => {
    const ip = ipOf(member.mac);
    const lost = host.vde !== undefined && isLeftBehind(host.vde, member.since);
    const state = lost ? 'lost' : stateOnPort(member, context);
    return { ...member, ip, leased: leased.has(`${member.mac} ${ip ?? ''}`), state };
  });
}

/** Who has a port runs. More is known of one's own VMs alone, of this state directory. */
function stateOnPort({ vm }: Pick<PortMember, 'vm'>, { stateOf }: InfoContext): string {
  const state = isVmName(vm) ? stateOf(vm) : 'stopped';
  return state === 'stopped' ? 'running' : state;
}
