/**
 * The host's way to the macvtaps of a card: a macvlan beside theirs that has the host's address or one of its own, and routes that are more exact than
 * the card's. The card itself is left as it is, so that with this interface everything of it goes. Pure.
 */
import { QrunError } from '../errors.ts';
import type { HostAccess } from '../host-access.ts';
import type { HostAccessFact } from '../host/host-access.ts';
import { hostWayAliasOf, hostWayMacOf, hostWayNameOf } from '../host-way-name.ts';
import { parseAddress, parseInterfaceAddress, parseSubnet, type Subnet } from '../subnet.ts';
import { checked } from './link-commands.ts';
import type { HostAccessStep } from './step.ts';

export interface HostWay {
  readonly addresses: readonly string[];
  readonly routes: readonly HostRoute[];
}

export interface HostRoute {
  /** `10.0.5.0/25` */
  readonly to: string;
  readonly src: string;
}

/** @throws QrunError `host-failed` with the words of what is missing; `at` is where it was asked for */
export function hostWayOf(at: string, parent: string, input: { wanted: HostAccess; fact: HostAccessFact }): HostWay {
  const { wanted, fact } = input;
  const way = typeof wanted === 'object' ? wayOfItsOwn(at, wanted.address, fact) : wayOfHost(at, parent, fact);
  if (!fact.strict || !way.routes.some(({ to }) => !to.includes(':'))) return way;
  throw new QrunError('host-failed', `${at}: ${parent} drops frames that would be answered another way (rp_filter 1)`, {
    hint: `sudo sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.${parent}.rp_filter=2`,
  });
}

function wayOfHost(at: string, parent: string, fact: HostAccessFact): HostWay {
  const addresses = fact.addresses.map(addressIn);
  if (addresses.length === 0) {
    throw new QrunError('host-failed', `${at}: the host has no address on ${parent}`, {
      hint: `sudo ip address add 192.0.2.1/24 dev ${parent}, or hostAccess: { address: 192.0.2.1/24 }, with an address of that network`,
    });
  }
  const routes = networksOf(fact).flatMap((network) => {
    const src = addresses.find(network.contains) ?? addresses.find((one) => familyOf(one) === network.family);
    return src === undefined ? [] : halvesOf(network).map((to) => ({ to, src }));
  });
  return { addresses, routes };
}

function wayOfItsOwn(at: string, written: string, fact: HostAccessFact): HostWay {
  const parsed = parseInterfaceAddress(written);
  if (parsed === undefined) throw new QrunError('bug', `${written} was not checked`);
  const { subnet } = parsed;
  const src = addressIn(written);
  const alone = subnet.first === subnet.last;
  const networks = networksOf(fact).filter(({ family }) => family === subnet.family);
  const around = networks.filter(({ contains }) => contains(src));
  if (alone && around.length === 0) {
    throw new QrunError('host-failed', `${at}: ${src} is in no network that the host has on the card`, {
      hint: `write what is to be reached from it, such as ${src}/${subnet.family === 4 ? 24 : 64}`,
    });
  }
  // where the card's own route is as exact, only a more exact one goes before it
  const within = networks.filter(({ first, last }) => first >= subnet.first && last <= subnet.last);
  const halved = alone ? around : within.length === 0 ? [] : [subnet, ...within];
  const to = halved.length === 0 ? [subnet.cidr] : [...new Set(halved.flatMap(halvesOf))];
  return { addresses: [src], routes: to.map((one) => ({ to: one, src })) };
}

function networksOf({ addresses, networks }: HostAccessFact): Subnet[] {
  const all = [...addresses, ...networks].flatMap((cidr) => parseSubnet(cidr) ?? []);
  return [...new Map(all.filter((one) => halvesOf(one).length > 0).map((one) => [one.cidr, one])).values()];
}

/** `10.0.5.0/24` → `10.0.5.0/25`, `10.0.5.128/25`. None of a network of one or two. */
function halvesOf({ family, prefix, first, last, at }: Subnet): string[] {
  if (prefix < 1 || prefix > (family === 4 ? 30 : 126)) return [];
  return [0n, (last - first + 1n) / 2n].map((offset) => `${at(offset)}/${prefix + 1}`);
}

const addressIn = (cidr: string): string => cidr.split('/')[0] ?? '';
const familyOf = (address: string): number | undefined => parseAddress(address)?.family;

export interface WayLink {
  readonly name: string;
  readonly parent: string;
  readonly mac: string;
}

/** All may be given again but the first; an alias last of all tells that it is whole. `nodad`: the host itself has the address. */
export function wayCommands(
  { name, parent, mac }: WayLink,
  { addresses, routes }: HostWay,
): { add: Words; rest: Words[] } {
  return {
    add: ['link', 'add', 'link', parent, 'name', name, 'address', mac, 'type', 'macvlan', 'mode', 'bridge'],
    rest: [
      ...addresses.map((address) => [
        ...['address', 'replace', `${address}/${address.includes(':') ? 128 : 32}`, 'dev', name],
        ...(address.includes(':') ? ['nodad', 'noprefixroute'] : ['noprefixroute']),
      ]),
      ['link', 'set', 'dev', name, 'up'],
      ...routes.map(({ to, src }) => [
        ...['route', 'replace', to, 'dev', name, 'src', src, ...(to.includes(':') ? [] : ['scope', 'link'])],
      ]),
    ],
  };
}

type Words = readonly string[];

/** A router's announcement is the card's business; and an interface that may have no IPv6 takes no address of it. */
export const waySettings = (name: string, { addresses }: HostWay): string[] => [
  `net/ipv6/conf/${name}/accept_ra=0`,
  ...(addresses.some((address) => address.includes(':')) ? [`net/ipv6/conf/${name}/disable_ipv6=0`] : []),
];

export interface WayPlan {
  readonly at: string;
  readonly id: string;
  readonly parent: { readonly name: string; readonly mac: string };
  readonly wanted: HostAccess;
  readonly fact: HostAccessFact;
  readonly ipv6: boolean;
  /** The macvtaps that are made with it: they do not keep it when they go. */
  readonly links: readonly string[];
  readonly sudo?: 'ask' | 'noninteractive';
}

/** No steps where there is a way already. @throws QrunError `host-failed`, `in-use` */
export function planHostAccess(input: WayPlan): { readonly steps: HostAccessStep[]; readonly notes: string[] } {
  const { at, id, parent, wanted, fact, ipv6, links, sudo } = input;
  const own = typeof wanted === 'object' ? addressIn(wanted.address) : undefined;
  if (fact.macvlan === true) {
    const note = `${parent.name} is a macvlan of the host's own, beside which the guest stands: in its mode bridge they reach one another`;
    return { steps: [], notes: [note] };
  }
  if (fact.lasting !== undefined) return { steps: [], notes: [lastingNote(input, own, fact.lasting)] };
  const way = hostWayOf(at, parent.name, { wanted, fact });
  const name = hostWayNameOf(parent.name);
  const { add, rest } = wayCommands({ name, parent: parent.name, mac: hostWayMacOf(parent.name, parent.mac) }, way);
  const alias = hostWayAliasOf(parent.name);
  return {
    steps: [
      {
        kind: 'host-access',
        id,
        needsRoot: true,
        name,
        alias,
        parent: parent.name,
        add: checked([add]),
        settings: ipv6 ? waySettings(name, way) : [],
        commands: checked([...rest, ['link', 'set', 'dev', name, 'alias', alias]]),
        links: [...links],
        ...(own !== undefined && { address: own }),
        ...(sudo !== undefined && { sudo }),
      },
    ],
    notes: [],
  };
}

function lastingNote(
  { at, parent }: WayPlan,
  own: string | undefined,
  lasting: NonNullable<HostAccessFact['lasting']>,
): string {
  const { name, addresses } = lasting;
  if (own === undefined || addresses.some((one) => addressIn(one) === own))
    return `the host reaches guests on ${parent.name} through ${name}, which setup made for good`;
  throw new QrunError('in-use', `${at}: the host's way on ${parent.name} is ${name}, and ${own} is not its address`, {
    hint: 'hostAccess: true takes it as it is',
  });
}
