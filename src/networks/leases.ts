/** The addresses of a network that are handed out, and whose they are. Read only. */
import { readNeighbours } from '../host/neighbours.ts';
import { fixedHostsOf, isPortHolder } from '../network/bridged/fixed-hosts.ts';
import { dhcpServerOf } from '../network/bridged/dnsmasq.ts';
import { forever } from '../network/bridged/leases.ts';
import { hostNetworkOf } from '../network/network-plan.ts';
import type { Network, NetworkName } from '../network/network.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import { parseAddress } from '../subnet.ts';
import { readAddresses } from './address-file.ts';
import type { NetworkContext } from './context.ts';
import { isCurrent, readLeases } from './lease-files.ts';
import { readOwned6 } from './leases6.ts';
import { listMembers, type Member } from './members.ts';
import { readPortMembers, readPortUsers } from './port-users.ts';
import type { NetworkRecord } from './record.ts';
import { requireUp } from './require-up.ts';

export interface NetworkLease {
  /** Null: of DHCPv6, and whose it is cannot be told. */
  readonly mac: string | null;
  readonly ip: string;
  /** Null: it is no VM's that qrun knows of. */
  readonly vm: string | null;
  readonly nic: string | null;
  /** What the guest called itself; else what others know its VM by. */
  readonly hostName: string | null;
  /** ISO 8601; null: it has no end. */
  readonly expires: string | null;
  /** What a client of DHCPv6 calls itself, in hex; null for IPv4, and where that was not kept. */
  readonly duid: string | null;
  /** dhcpd hands it to that MAC alone, and keeps no lease of it: its guest is on the network, or was met there at this address. */
  readonly fixed: boolean;
}

type Where = Pick<NetworkContext, 'places' | 'system'>;

/** By address. @throws QrunError `unknown-name` when the network is not up */
export async function listLeases(name: NetworkName, context: Where): Promise<NetworkLease[]> {
  return leasesOf(await requireUp(name, context, { verb: 'leases' }), context);
}

interface HandedOut {
  readonly mac?: string;
  readonly ip: string;
  readonly hostName?: string;
  readonly expires: number;
  readonly duid?: string;
  readonly fixed?: true;
}

/** Those that are not over. */
export function leasesOf(record: NetworkRecord, context: Where): NetworkLease[] {
  const { network, definition, plan } = record;
  const files = networkFiles(context.places, network);
  const host = hostNetworkOf(plan);
  const members: Known[] = [
    ...listMembers(files),
    ...(host === undefined ? [] : readPortUsers(host, context.system.uid)),
  ];
  const leases: HandedOut[] = [
    ...readLeases(files.leases, dhcpServerOf(definition)).filter(isCurrent),
    ...readOwned6(record, context),
  ];
  return [...leases, ...fixedOfDhcpd(record, leases, context)]
    .map(({ mac, ip, hostName, expires, duid, fixed = false }) => {
      const member = members.find((one) => one.mac === mac);
      return {
        mac: mac ?? null,
        ip,
        vm: member?.vm ?? vmOfAddress(ip, files, definition) ?? null,
        nic: member?.nic ?? null,
        hostName: hostName ?? nameOf(member) ?? null,
        expires: expires >= forever ? null : new Date(expires * 1000).toISOString(),
        duid: duid ?? null,
        fixed,
      };
    })
    .toSorted((one, other) => byAddress(one.ip, other.ip));
}

/** Of those it keeps no record: they are known by who is on the network, and whom the host has met there. */
function fixedOfDhcpd(
  { network, definition, plan }: NetworkRecord,
  leases: readonly HandedOut[],
  { places, system }: Where,
): HandedOut[] {
  if (dhcpServerOf(definition) !== 'dhcpd') return [];
  const files = networkFiles(places, network);
  const host = hostNetworkOf(plan);
  const members = listMembers(files);
  const on = new Set(
    [...members, ...(host === undefined ? [] : readPortMembers(host, system.uid))].map(({ mac }) => mac),
  );
  const met = readNeighbours(system);
  return fixedHostsOf(definition, plan, { members, addresses: readAddresses(files) })
    .filter(({ mac, ip }) => parseAddress(ip)?.family === 4 && !leases.some((one) => one.mac === mac && one.ip === ip))
    .filter(({ mac, ip }) => on.has(mac) || met.some((one) => one.mac === mac && one.address === ip))
    .map(({ mac, ip, name }) => ({
      mac,
      ip,
      ...(name !== undefined && { hostName: name }),
      expires: forever,
      fixed: true,
    }));
}

interface Known extends Pick<Member, 'vm' | 'mac'> {
  /** Null: of a port that is kept for a VM which has not come yet. */
  readonly nic: string | null;
  readonly hostName?: string;
}

const nameOf = (member: Known | undefined): string | undefined => member?.hostName;

/** A VM that was on it, and is gone: its address is still its own. */
function vmOfAddress(ip: string, files: NetworkFiles, { dhcp }: Network): string | undefined {
  const fixed = dhcp?.hosts.find((host) => host.ip === ip)?.vm;
  if (fixed !== undefined) return fixed;
  const holder = Object.entries(readAddresses(files)).find(([, address]) => address === ip)?.[0];
  // a port's, which nobody has taken yet
  return holder === undefined || isPortHolder(holder) ? undefined : holder.split('/')[0];
}

/** As numbers, .9 before .10; those of IPv4 first. */
function byAddress(one: string, other: string): number {
  const [left, right] = [one, other].map((ip) => parseAddress(ip) ?? { family: 9, value: 0n });
  if (left === undefined || right === undefined || left.family !== right.family)
    return (left?.family ?? 0) - (right?.family ?? 0);
  return left.value < right.value ? -1 : Number(left.value > right.value);
}
