/** The addresses of a network that are handed out, and whose they are. Read only. */
import { isPortHolder } from '../network/bridged/fixed-hosts.ts';
import { hostNetworkOf } from '../network/network-plan.ts';
import type { Network, NetworkName } from '../network/network.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import { readStateFile } from '../system/state-files.ts';
import type { NetworkContext } from './context.ts';
import { listMembers, type Member } from './members.ts';
import { readLeases } from './nic-state.ts';
import { readPortUsers } from './port-lease.ts';
import type { NetworkRecord } from './record.ts';
import { requireUp } from './require-up.ts';

export interface NetworkLease {
  readonly mac: string;
  readonly ip: string;
  /** Null: it is no VM's that qrun knows of. */
  readonly vm: string | null;
  readonly nic: string | null;
  /** What the guest called itself; else what others know its VM by. */
  readonly hostName: string | null;
  /** ISO 8601; null: it has no end. */
  readonly expires: string | null;
}

/** DHCP's word for "for ever". */
const forever = 0xff_ff_ff_ff;

/** By address. @throws QrunError `unknown-name` when the network is not up */
export function listLeases(name: NetworkName, context: Pick<NetworkContext, 'places' | 'system'>): NetworkLease[] {
  return leasesOf(requireUp(name, context), context);
}

/** Those that are not over. */
export function leasesOf(
  { network, definition, plan }: NetworkRecord,
  { places, system }: Pick<NetworkContext, 'places' | 'system'>,
): NetworkLease[] {
  const files = networkFiles(places, network);
  const host = hostNetworkOf(plan);
  const members: Known[] = [...listMembers(files), ...(host === undefined ? [] : readPortUsers(host, system.uid))];
  const now = Date.now() / 1000;
  return readLeases(files.leases)
    .filter(({ expires }) => expires > now)
    .map(({ mac, ip, hostName, expires }) => {
      const member = members.find((one) => one.mac === mac);
      return {
        mac,
        ip,
        vm: member?.vm ?? vmOfAddress(ip, files, definition) ?? null,
        nic: member?.nic ?? null,
        hostName: hostName ?? nameOf(member) ?? null,
        expires: expires >= forever ? null : new Date(expires * 1000).toISOString(),
      };
    })
    .toSorted((one, other) => byAddress(one.ip, other.ip));
}

type Known = Pick<Member, 'vm' | 'nic' | 'mac'> & { readonly hostName?: string };

const nameOf = (member: Known | undefined): string | undefined => member?.hostName;

/** A VM that was on it, and is gone: its address is still its own. */
function vmOfAddress(ip: string, files: NetworkFiles, { dhcp }: Network): string | undefined {
  const fixed = dhcp?.hosts.find((host) => host.ip === ip)?.vm;
  const holder = fixed ?? Object.entries(readAddresses(files)).find(([, address]) => address === ip)?.[0];
  // a port's, which nobody has taken yet
  return holder === undefined || isPortHolder(holder) ? undefined : holder.split('/')[0];
}

/** Addresses that are kept for VMs, by holder: `web1`, or `web1/net2`. None where that cannot be read. */
export function readAddresses(files: NetworkFiles): Record<string, string> {
  const read = readStateFile(files.addresses, { leave: true });
  const addresses: unknown = read.state === 'read' ? read.value['addresses'] : undefined;
  if (typeof addresses !== 'object' || addresses === null) return {};
  return Object.fromEntries(
    Object.entries(addresses).flatMap(([holder, entry]: [string, unknown]) =>
      typeof entry === 'object' && entry !== null && 'ip' in entry && typeof entry.ip === 'string'
        ? [[holder, entry.ip]]
        : [],
    ),
  );
}

/** As numbers: .9 is before .10. */
export function byAddress(one: string, other: string): number {
  const padded = (ip: string): string => ip.replace(/\d+/g, (part) => part.padStart(3, '0'));
  return padded(one) < padded(other) ? -1 : 1;
}
