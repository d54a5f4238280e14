/** What a network knows of a NIC that is on it. Read only. */
import { existsSync } from 'node:fs';
import { readHostLink, sysfsIsOwn } from '../host/host-link.ts';
import { dhcpServerOf } from '../network/bridged/dnsmasq.ts';
import type { NetworkName } from '../network/network.ts';
import type { HostNetwork, HostPort } from '../network/host-network.ts';
import { hostNetworkOf, type NetworkPlan } from '../network/network-plan.ts';
import { isPciAddress, pciDirectory } from '../pci-address.ts';
import { readPortUse } from '../resources/port-lease.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { NetworkContext } from './context.ts';
import { servicesOf, type NetworkHealth } from './health.ts';
import { isCurrent, readLeases } from './lease-files.ts';
import { readOwned6 } from './leases6.ts';
import { listMembers, type Member } from './members.ts';
import type { NetworkRecord } from './record.ts';
import { readNetworkStatus } from './state.ts';
import { isLeftBehind } from './switch-health.ts';

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
  /** Of a user's NIC on a network of root's: nobody counts it as a member. */
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
  // one of root's is a member as long as it is on it, whatever became of its tap
  if (member === undefined && hostInterface !== undefined && context.system.uid !== 0) {
    const port = { device: hostInterface, mac };
    const lost = isCut(port, record?.plan);
    return { ips: lost ? [] : addressOfPort(port, record?.plan), lost };
  }
  const lost =
    record === undefined || member === undefined || isLost(member, { record, health }) || isCutOff(member.device);
  if (lost) return { ips: [], lost };
  const ips = addressesOf(record, mac, context);
  // dhcpd keeps no record of addresses that are fixed
  const kept = dhcpServerOf(record.definition) === 'dhcpd' && member.ip !== undefined ? [member.ip] : [];
  return { ips: [...new Set([...kept, ...ips])], lost };
}

interface NicAt {
  readonly device: string;
  readonly mac: string;
}

/** All ports of a switch are behind one interface. */
const portAt = ({ device, mac }: NicAt, host: HostNetwork | undefined): HostPort | undefined =>
  host?.ports.find((port) => port.device === device && (host.vde === undefined || port.mac === mac));

/** The one that is kept for whoever has the port. */
function addressOfPort(nic: NicAt, plan: NetworkPlan | undefined): string[] {
  const ip = portAt(nic, plan === undefined ? undefined : hostNetworkOf(plan))?.ip;
  return ip === undefined ? [] : [ip];
}

/** Its interface was taken away; one that has come since in its place has nobody at its other end, or is of a later run of the network. */
function isCut(nic: NicAt, plan: NetworkPlan | undefined): boolean {
  const link = readHostLink(nic.device);
  if (link === undefined) return sysfsIsOwn();
  const host = plan === undefined ? undefined : hostNetworkOf(plan);
  const port = portAt(nic, host);
  const use = port === undefined ? undefined : readPortUse(port.lock);
  if (host?.vde !== undefined && isLeftBehind(host.vde, use?.at)) return true;
  return link.tap?.attached === false || (use?.run !== undefined && use.run !== host?.runId);
}

interface LostWith {
  readonly record: NetworkRecord;
  readonly health: NetworkHealth | undefined;
}

/** What a VM of root's has of the host on it, a tap, a macvtap or a function of a card, was taken away from under it. */
export function isCutOff(device: string | undefined): boolean {
  if (device === undefined || !sysfsIsOwn()) return false;
  if (isPciAddress(device)) return !existsSync(pciDirectory(device));
  const link = readHostLink(device);
  return link === undefined || link.tap?.attached === false;
}

/** What it was joined with is gone, or was started anew since: there are programs that are joined once. */
export function isLost({ since }: Pick<Member, 'since'>, { record, health }: LostWith): boolean {
  // it has a tap of its own, whatever switch is on the bridge too
  if (record.plan.attach.by === 'bridge') return false;
  const joinedOnce = servicesOf(record.plan).flatMap(({ programs }) => programs.filter(({ restart }) => !restart));
  const isGone = joinedOnce.some(({ name }) => health?.missing.includes(name) === true);
  return isGone || isOlder(since, record.renewedAt);
}

const isOlder = (since: string, renewedAt: string | undefined): boolean => renewedAt !== undefined && since < renewedAt;

/** Of leases that are not over. */
function addressesOf(record: NetworkRecord, mac: string, context: Pick<NetworkContext, 'places' | 'system'>): string[] {
  const { leases } = networkFiles(context.places, record.network);
  const four = readLeases(leases, dhcpServerOf(record.definition)).filter(isCurrent);
  return [...four, ...readOwned6(record, context)].flatMap((lease) => (lease.mac === mac ? [lease.ip] : []));
}
