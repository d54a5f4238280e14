/** What a network knows of a NIC that is on it. Read only. */
import { readHostLink, sysfsIsOwn } from '../host/host-link.ts';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseDhcpdLeases } from '../network/bridged/dhcpd.ts';
import { parseDnsmasqLeases } from '../network/bridged/leases.ts';
import { dhcpdLeases, dnsmasqLeases } from '../network/bridged/files.ts';
import type { NetworkName } from '../network/network.ts';
import { hostNetworkOf, type NetworkPlan } from '../network/network-plan.ts';
import { readPortUse } from '../resources/port-lease.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { SwitchLeases } from '../switch/config.ts';
import { QrunError } from '../errors.ts';
import { readStateFile } from '../system/state-files.ts';
import type { NetworkContext } from './context.ts';
import { servicesOf, type NetworkHealth } from './health.ts';
import { listMembers, type Member } from './members.ts';
import type { NetworkRecord } from './record.ts';
import { readNetworkStatus } from './state.ts';

export interface NicOnNetwork {
  /** Addresses that DHCP has handed to its MAC. */
  readonly ips: readonly string[];
  /** What carried it is gone, and it cannot find what has come instead: the VM must be started anew. */
  readonly lost: boolean;
}

export interface NicOf {
  readonly network: string;
  readonly vm: string;
  readonly nic: string;
  readonly mac: string;
  /** Of a NIC on a network of root's: nobody counts it as a member. */
  readonly hostInterface?: string | undefined;
}

export function readNicOnNetwork(
  { network, vm, nic, mac, hostInterface }: NicOf,
  context: Pick<NetworkContext, 'places' | 'system'>,
): NicOnNetwork {
  const files = networkFiles(context.places, network as NetworkName);
  const { record, health, fault } = readNetworkStatus(network as NetworkName, context);
  // what cannot be read tells nothing
  if (fault !== undefined) return { ips: [], lost: false };
  const member = listMembers(files).find((one) => one.vm === vm && one.nic === nic);
  if (member === undefined && hostInterface !== undefined) {
    const lost = isCut(hostInterface, record?.plan);
    return { ips: lost ? [] : addressOfPort(hostInterface, record?.plan), lost };
  }
  const lost = record === undefined || member === undefined || isLost(member, { record, health });
  if (lost) return { ips: [], lost };
  const ips = addressesOf(files.leases, mac);
  // dhcpd keeps no record of addresses that are fixed
  const isKept = ips.length === 0 && record.definition.dhcp?.server === 'dhcpd' && member.ip !== undefined;
  return { ips: isKept ? [member.ip] : ips, lost };
}

/** The one that is kept for whoever has the port. */
function addressOfPort(name: string, plan: NetworkPlan | undefined): string[] {
  const host = plan === undefined ? undefined : hostNetworkOf(plan);
  const ip = host?.ports.find(({ device }) => device === name)?.ip;
  return ip === undefined ? [] : [ip];
}

/** Its interface was taken away; one that has come since in its place has nobody at its other end, or is of a later run of the network. */
function isCut(name: string, plan: NetworkPlan | undefined): boolean {
  const link = readHostLink(name);
  if (link === undefined) return sysfsIsOwn();
  const host = plan === undefined ? undefined : hostNetworkOf(plan);
  const port = host?.ports.find(({ device }) => device === name);
  const use = port === undefined ? undefined : readPortUse(port.lock);
  return link.tap?.attached === false || (use?.run !== undefined && use.run !== host?.runId);
}

interface LostWith {
  readonly record: NetworkRecord;
  readonly health: NetworkHealth | undefined;
}

/** What it was joined with is gone, or was started anew since: there are programs that are joined once. */
export function isLost({ since }: Pick<Member, 'since'>, { record, health }: LostWith): boolean {
  const joinedOnce = servicesOf(record.plan).flatMap(({ programs }) => programs.filter(({ restart }) => !restart));
  const isGone = joinedOnce.some(({ name }) => health?.missing.includes(name) === true);
  return isGone || isOlder(since, record.renewedAt);
}

const isOlder = (since: string, renewedAt: string | undefined): boolean => renewedAt !== undefined && since < renewedAt;

/** Of leases that are not over. */
function addressesOf(file: string, mac: string): string[] {
  const now = Date.now() / 1000;
  return readLeases(file).flatMap((lease) => (lease.mac === mac && lease.expires > now ? [lease.ip] : []));
}

/** What DHCP has handed out on a network, be it by the switch, by dnsmasq or by dhcpd; none when that cannot be told. */
export const readLeases = (file: string): SwitchLeases['leases'] => [
  ...readSwitchLeases(file),
  ...parseDnsmasqLeases(readText(path.join(path.dirname(file), dnsmasqLeases))),
  ...parseDhcpdLeases(readText(path.join(path.dirname(file), dhcpdLeases))),
];

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function readSwitchLeases(file: string): SwitchLeases['leases'] {
  try {
    const read = readStateFile(file, { leave: true });
    if (read.state !== 'read') return [];
    const { leases } = read.value as unknown as SwitchLeases;
    return Array.isArray(leases) ? leases : [];
  } catch (error) {
    if (error instanceof QrunError) return [];
    throw error;
  }
}
