/**
 * Which IPv4 network each NIC of kind `user` has: the one that it names, else the first that no other NIC of the VM has. QEMU's own default would be the
 * same for all of them, and a guest with one network on two cards answers on one.
 */
import type { HostFacts } from '../host/facts.ts';
import type { Nic, UserNic } from '../profile/profile.ts';
import { parseSubnet, subnetsOverlap, type Subnet } from '../subnet.ts';

export interface UserSubnet {
  /** As written, or `10.0.3.0/24`. */
  readonly cidr: string;
  /** Among the VM's NICs of this kind, from 0. */
  readonly position: number;
}

/** Every one of them gets a different value where it names none. */
export function userSubnetOf(nic: UserNic, nics: readonly Nic[], networks: HostFacts['networks']): UserSubnet {
  const own = nics.filter((one) => one.kind === 'user');
  const position = Math.max(0, own.indexOf(nic));
  if (nic.subnet !== undefined) return { cidr: nic.subnet, position };
  const taken = nics.flatMap((one) => writtenSubnet(one, networks) ?? []);
  const free = candidates().filter((candidate) => !taken.some((other) => subnetsOverlap(candidate, other)));
  const before = own.slice(0, position).filter(({ subnet }) => subnet === undefined).length;
  return { cidr: (free[before] ?? candidates()[before])?.cidr ?? defaultSubnet, position };
}

export const defaultSubnet = '10.0.2.0/24';

/** The network that a NIC is said to be on, where that is known before it runs. */
function writtenSubnet(nic: Nic, networks: HostFacts['networks']): Subnet | undefined {
  const cidr = nic.kind === 'user' ? nic.subnet : nic.kind === 'network' ? networks[nic.network]?.subnet : undefined;
  return cidr === undefined ? undefined : parseSubnet(cidr, 4);
}

/** The first two NICs whose networks have addresses in common, in words. The profile's own check knows nothing of managed networks. */
export function faultOfSubnets(nics: readonly Nic[], networks: HostFacts['networks']): string | undefined {
  const named = nics.flatMap((nic, index) => {
    const subnet = writtenSubnet(nic, networks);
    const what = nic.kind === 'network' ? `the network ${nic.network}` : 'its user network';
    return subnet === undefined ? [] : [{ subnet, what, at: `nics[${index}]` }];
  });
  for (const [index, one] of named.entries()) {
    const other = named
      .slice(0, index)
      .find(({ subnet, what }) => subnetsOverlap(subnet, one.subnet) && !isSame(what, one.what));
    if (other !== undefined)
      return `${one.at}: ${one.what} (${one.subnet.cidr}) overlaps that of ${other.at} (${other.subnet.cidr})`;
  }
  return undefined;
}

/** Two cards on one managed network are meant so. */
const isSame = (one: string, other: string): boolean => one === other && one.startsWith('the network ');

/** 10.0.2.0/24, 10.0.3.0/24, …; then ranges that a large network in 10.0.0.0/8 leaves alone. */
function candidates(): Subnet[] {
  const third = Array.from({ length: 32 }, (_, index) => index + 2);
  return ['10.0', '172.30', '192.168']
    .flatMap((front) => third.map((octet) => parseSubnet(`${front}.${octet}.0/24`, 4)))
    .filter((subnet) => subnet !== undefined);
}
