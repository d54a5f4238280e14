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

interface Taken {
  readonly subnet: Subnet;
  readonly by: string;
}

/**
 * Any overlap, not equality alone: of two routes the longer one wins, and one of the networks would lose its guests.
 * @param own interfaces that are the network's: what is reached through them is no other's
 * @throws QrunError `in-use`
 */
export function requireFreeSubnets(
  network: Network,
  facts: Pick<NetworkFacts, 'routes' | 'others'>,
  own: readonly string[],
): void {
  const subnets = subnetsOf(network).flatMap((one) => parseInterfaceAddress(one)?.subnet ?? []);
  const taken = takenBy(facts, own);
  for (const { subnet: other, by } of taken) {
    const met = subnets.find((one) => subnetsOverlap(one, other));
    if (met !== undefined) throw overlap({ met, by, network, taken });
  }
}

function takenBy(
  { routes = [], others = [] }: Pick<NetworkFacts, 'routes' | 'others'>,
  own: readonly string[],
): Taken[] {
  return [
    ...others.flatMap(({ name, file, isUp, subnets }) =>
      subnets.flatMap((cidr): Taken[] => {
        const subnet = parseSubnet(cidr);
        const where = isUp ? `network ${name}, which is up` : `network ${name} (${file})`;
        return subnet === undefined ? [] : [{ subnet, by: `the addresses of ${where}` }];
      }),
    ),
    ...routes.flatMap((route): Taken[] => {
      const subnet = own.includes(route.interface) ? undefined : parseSubnet(route.cidr);
      return subnet === undefined
        ? []
        : [{ subnet, by: `${route.cidr}, which this host reaches through ${route.interface}` }];
    }),
  ];
}

interface Overlap {
  readonly met: Subnet;
  readonly by: string;
  readonly network: Network;
  readonly taken: readonly Taken[];
}

/** What follows from a name stands in no file, and perhaps in the package's own. */
function overlap({ met, by, network, taken }: Overlap): QrunError {
  const { name, file } = network;
  const layout = layoutOf(network);
  const isDerived = layout.derived && met.cidr === layout.subnet.cidr;
  const free = `addresses: [${freeAddress(met.family, taken)}]`;
  return new QrunError(
    'in-use',
    `network ${name}: ${met.cidr}${isDerived ? ' (it follows from the name)' : ''} overlaps with ${by}`,
    {
      hint: isDerived
        ? `qrun net edit ${name}, and write ${free}`
        : `write other addresses in ${file}, such as ${free}`,
    },
  );
}

const examples = {
  4: ['10.200.77.1/24', '172.29.77.1/24', '192.168.177.1/24', '198.18.77.1/24'],
  6: ['fd20:77::1/64', 'fd20:78::1/64'],
} as const;

/** One that nobody has, as far as it can be helped. */
function freeAddress(family: 4 | 6, taken: readonly Taken[]): string {
  const isFree = (one: string): boolean => {
    const subnet = parseSubnet(one);
    return subnet !== undefined && !taken.some((other) => subnetsOverlap(other.subnet, subnet));
  };
  const address = examples[family].find(isFree) ?? examples[family][0];
  return family === 4 ? address : `"${address}"`;
}
