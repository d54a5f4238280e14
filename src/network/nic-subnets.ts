/** NICs of one VM whose networks overlap: the guest could not tell which way to go. */
import { QrunError } from '../errors.ts';
import type { Nic, Profile } from '../profile/profile.ts';
import { parseSubnet, subnetsOverlap, type Subnet } from '../subnet.ts';
import type { NetworkPlan } from './network-plan.ts';

/** What QEMU gives a NIC of kind user that says nothing else. */
const userSubnet = '10.0.2.0/24';

interface NicSubnet {
  readonly index: number;
  /** Two NICs on one network are the guest's affair. */
  readonly network: string;
  readonly subnet: Subnet;
}

/**
 * `networks` by name, planned. Two NICs of kind user are looked at with the profile.
 * @throws QrunError `invalid-profile`
 */
export function validateSubnets(
  { nics }: Pick<Profile, 'nics'>,
  networks: Readonly<Record<string, Pick<NetworkPlan, 'subnet'>>>,
): void {
  const placed = nics.flatMap((nic, index): NicSubnet[] => {
    const cidr = subnetOf(nic, networks);
    const subnet = cidr === undefined ? undefined : parseSubnet(cidr);
    const network = nic.kind === 'network' ? `network ${nic.network}` : 'user';
    return subnet === undefined ? [] : [{ index, network, subnet }];
  });
  for (const [position, one] of placed.entries()) {
    const other = placed
      .slice(0, position)
      .find((before) => before.network !== one.network && subnetsOverlap(before.subnet, one.subnet));
    if (other !== undefined) throw overlap(one, other);
  }
}

function subnetOf(nic: Nic, networks: Readonly<Record<string, Pick<NetworkPlan, 'subnet'>>>): string | undefined {
  if (nic.kind === 'network') return networks[nic.network]?.subnet;
  return nic.kind === 'user' ? (nic.subnet ?? userSubnet) : undefined;
}

function overlap(one: NicSubnet, other: NicSubnet): QrunError {
  const what = ({ index, network, subnet }: NicSubnet): string => `nics[${index}] (${network}, ${subnet.cidr})`;
  const managed = [one, other].find(({ network }) => network !== 'user');
  return new QrunError(
    'invalid-profile',
    `${what(one)} overlaps with ${what(other)}: the guest could not tell them apart`,
    {
      hint: `give one of them other addresses: "addresses" of ${managed?.network ?? 'a network'}${[one, other].some(({ network }) => network === 'user') ? ', or "subnet" of the user NIC' : ''}`,
    },
  );
}
