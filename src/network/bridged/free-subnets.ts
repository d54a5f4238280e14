/** Networks of the host's keep off one another's addresses, and off what the host itself reaches. Pure. */
import { QrunError } from '../../errors.ts';
import { parseInterfaceAddress, parseSubnet, subnetsOverlap, type Subnet } from '../../subnet.ts';
import { isTheirs } from '../joined/mode.ts';
import { layoutOf, type NetworkLayout } from '../layout.ts';
import type { Network } from '../network.ts';
import type { NetworkFacts } from '../plan-input.ts';
import { isBridged } from './mode.ts';

/** The bridge's own, with their prefixes: those that are written, or the one that follows from the name. */
export const addressesOf = ({ addresses }: Pick<Network, 'addresses'>, layout: NetworkLayout): readonly string[] =>
  layout.derived ? [...addresses, `${layout.gateway}/${layout.subnet.prefix}`] : addresses;

/** Of a network of the host's: what nobody else can have where it is up. None for one on a bridge, or on cards, that are there already. */
export function subnetsOf(network: Network): readonly string[] {
  if (isBridged(network.forward)) return addressesOf(network, layoutOf(network));
  return network.forward === 'bridge' && !isTheirs(network.bridge) ? network.addresses : [];
}

/**
 * Any overlap, not equality alone: of two routes the longer one wins, and one of the networks would lose its guests.
 * @param own interfaces that are the network's: what is reached through them is no other's
 * @throws QrunError `in-use`
 */
export function requireFreeSubnets(
  network: Network,
  { routes = [], others = [] }: Pick<NetworkFacts, 'routes' | 'others'>,
  own: readonly string[],
): void {
  const subnets = subnetsOf(network).flatMap((one) => parseInterfaceAddress(one)?.subnet ?? []);
  for (const other of others) {
    const theirs = other.subnets.flatMap((cidr) => parseSubnet(cidr) ?? []);
    const met = subnets.find((one) => theirs.some((subnet) => subnetsOverlap(one, subnet)));
    const where = other.isUp ? `network ${other.name}, which is up` : `network ${other.name} (${other.file})`;
    if (met !== undefined) throw overlap(met, `the addresses of ${where}`, network);
  }
  for (const route of routes) {
    const other = parseSubnet(route.cidr);
    const met =
      other === undefined || own.includes(route.interface)
        ? undefined
        : subnets.find((one) => subnetsOverlap(one, other));
    if (met !== undefined)
      throw overlap(met, `${route.cidr}, which this host reaches through ${route.interface}`, network);
  }
}

function overlap(met: Subnet, other: string, network: Network): QrunError {
  const layout = layoutOf(network);
  const why = layout.derived && met.cidr === layout.subnet.cidr ? ' (it follows from the name)' : '';
  return new QrunError('in-use', `network ${network.name}: ${met.cidr}${why} overlaps with ${other}`, {
    hint: `write other addresses in ${network.file}, such as addresses: [${met.family === 4 ? '10.200.77.1/24' : '"fd20:77::1/64"'}]`,
  });
}
