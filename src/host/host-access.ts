/** What the host has on a network card, for its way to the macvtaps there. No program is started for it. */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { hostWayNameOf, lastingWayNameOf } from '../host-way-name.ts';
import { parseSubnet, renderAddress } from '../subnet.ts';
import { namesIn } from '../system/glance.ts';
import { readHostLink } from './host-link.ts';
import { attributeOf } from './sysfs.ts';

export interface HostAccessFact {
  /** The host's own there, IPv4 and IPv6, without those of the link alone: `10.0.5.1/24`. */
  readonly addresses: readonly string[];
  /** Networks of IPv6 that it reaches there without a gateway, whatever its addresses say. */
  readonly networks: readonly string[];
  /** Its reverse path filter is strict. */
  readonly strict: boolean;
  /** It is a macvlan itself: what stands on it stands beside it, on the card below. */
  readonly macvlan?: true;
  /** What setup made for good. */
  readonly lasting?: { readonly name: string; readonly addresses: readonly string[] };
  /** The one that runs and networks share is there, and up. */
  readonly shared?: true;
}

export function readHostAccess(parent: string): HostAccessFact {
  const [lasting, shared] = [lastingWayNameOf(parent), hostWayNameOf(parent)];
  return {
    addresses: addressesOf(parent),
    networks: onLinkOf(parent, attributeOf('/proc/net/ipv6_route')),
    strict: Math.max(rpFilter('all'), rpFilter(parent)) === 1,
    ...(isMacvlan(parent) && { macvlan: true }),
    ...(standsOn(lasting, parent) && { lasting: { name: lasting, addresses: addressesOf(lasting) } }),
    ...(standsOn(shared, parent) && readHostLink(shared)?.up === true && { shared: true }),
  };
}

/** Whether the host reaches macvtaps in mode bridge there. */
export const hasWay = ({ lasting, macvlan, shared }: HostAccessFact): boolean =>
  lasting !== undefined || macvlan === true || shared === true;

/** With their lengths, those of the link alone left out. */
export const addressesOf = (link: string): string[] =>
  (networkInterfaces()[link] ?? []).flatMap(({ cidr, address }) =>
    cidr === null || /^fe[89ab]/i.test(address) ? [] : [cidr],
  );

/** Only root makes interfaces: what has that name and stands on that card is what setup, the host's start or a run made. */
export const standsOn = (name: string, parent: string): boolean => existsSync(`/sys/class/net/${name}/lower_${parent}`);

/** The kernel gives all that stand on one card a type by name, but these: VLANs, bonds, macvtaps and the others say theirs. */
function isMacvlan(name: string): boolean {
  const directory = `/sys/class/net/${name}`;
  const lower = namesIn(directory).filter((entry) => entry.startsWith('lower_'));
  return (
    lower.length === 1 &&
    attributeOf(`${directory}/iflink`) !== attributeOf(`${directory}/ifindex`) &&
    !/^DEVTYPE=/m.test(attributeOf(`${directory}/uevent`))
  );
}

const [isUp, byGateway] = [1, 2];

/** Of /proc/net/ipv6_route: destination, length, source, its length, next hop, metric, count, uses, flags, interface. All in hex. */
export function onLinkOf(link: string, table: string): string[] {
  const found = table.split('\n').flatMap((line) => {
    const [destination = '', length = '', , , , , , , flags = '', name] = line.trim().split(/\s+/);
    const bits = Number.parseInt(flags, 16);
    if (name !== link || (bits & isUp) === 0 || (bits & byGateway) !== 0) return [];
    const prefix = Number.parseInt(length, 16);
    const address = renderAddress({ family: 6, value: BigInt(`0x${destination}`) });
    if (!(prefix > 0 && prefix < 128) || /^f[ef]/.test(address)) return [];
    return parseSubnet(`${address}/${prefix}`)?.cidr ?? [];
  });
  return [...new Set(found)];
}

const rpFilter = (name: string): number =>
  Number.parseInt(attributeOf(`/proc/sys/net/ipv4/conf/${name}/rp_filter`), 10) || 0;
