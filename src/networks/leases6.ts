/** Addresses of IPv6 that DHCP has handed out on a network, and to whom. Read only. */
import { readNeighbours } from '../host/neighbours.ts';
import { fixedHostsOf } from '../network/bridged/fixed-hosts.ts';
import { macOfLease, type KnownNic } from '../network/bridged/lease-owner.ts';
import type { Dhcp6Lease } from '../network/bridged/leases.ts';
import { hostNetworkOf } from '../network/network-plan.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import type { NetworkContext } from './context.ts';
import { readAddresses } from './address-file.ts';
import { isCurrent, readLeases6 } from './lease-files.ts';
import { listMembers } from './members.ts';
import type { NetworkRecord } from './record.ts';

export interface OwnedLease6 extends Dhcp6Lease {
  /** Undefined: whose it is cannot be told. */
  readonly mac?: string;
}

/** Those that are not over. */
export function readOwned6(
  record: Pick<NetworkRecord, 'network' | 'definition' | 'plan'>,
  { places, system }: Pick<NetworkContext, 'places' | 'system'>,
): OwnedLease6[] {
  const files = networkFiles(places, record.network);
  const leases = readLeases6(files.leases).filter(isCurrent);
  if (leases.length === 0) return [];
  const look = { known: knownNics(record, files), met: readNeighbours(system) };
  return leases.map((lease) => {
    const mac = macOfLease(lease, look);
    return { ...lease, ...(mac !== undefined && { mac }) };
  });
}

function knownNics({ definition, plan }: Pick<NetworkRecord, 'definition' | 'plan'>, files: NetworkFiles): KnownNic[] {
  const members = listMembers(files);
  const fixed = fixedHostsOf(definition, plan, { members, addresses: readAddresses(files) });
  return [
    ...members.map(({ mac, hostName }) => ({ mac, ...(hostName !== undefined && { hostName }) })),
    ...(hostNetworkOf(plan)?.ports ?? []).map(({ mac }) => ({ mac })),
    // those that are kept for who is not there have no MAC
    ...fixed
      .filter(({ mac }) => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac))
      .map(({ mac, ip, name }) => ({ mac, ips: [ip], ...(name !== undefined && { hostName: name }) })),
  ];
}
