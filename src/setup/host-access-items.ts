/** The host's way to macvtaps of one of its cards: now and for good, in the form of whoever makes the host's interfaces. Pure. */
import { QrunError } from '../errors.ts';
import type { HostAccessFact } from '../host/host-access.ts';
import { hostWayMacOf, lastingWayNameOf } from '../host-way-name.ts';
import { hostWayOf } from '../plan/host-access.ts';
import type { SetupFacts, SetupOptions } from './facts.ts';
import { isManaged, wayForm } from './forms/host-way.ts';
import type { SetupItem, WayItem } from './item.ts';
import { bridgeAlias } from './items/bridge.ts';
import type { LinkLook } from './items/look.ts';
import { faultOfOurWay } from './items/way.ts';

interface Items {
  readonly items: readonly SetupItem[];
  readonly notes: readonly string[];
}

/** @throws QrunError what of the card, or of its addresses, stands in the way */
export function wayItems(options: SetupOptions, facts: SetupFacts): Items {
  const way = completeWay(options, facts);
  const { card, manager, paths } = facts;
  if (way === undefined || card === undefined) return { items: [], notes: [] };
  const { networkFile } = card;
  return {
    items: [way, ...wayForm(manager, { way, paths, ...(networkFile !== undefined && { networkFile }) })],
    notes: notesOf(way, facts),
  };
}

/** What was asked for, with the address that an earlier setup was given. */
export function completeWay(options: SetupOptions, facts: SetupFacts): WayItem | undefined {
  const { hostAccess: parent, address } = options;
  const { card, manager } = facts;
  if (parent === undefined || card?.link === undefined) return undefined;
  const name = lastingWayNameOf(parent);
  const earlier = facts.recorded.flatMap(({ item }) => (item.kind === 'way' && item.name === name ? [item] : []))[0];
  const own = address ?? earlier?.own;
  const { addresses, routes } = hostWayOf(`--host-access ${parent}`, parent, {
    wanted: own === undefined ? true : { address: own },
    fact: lastingFact(card, own !== undefined),
  });
  return {
    kind: 'way',
    what: `the host's way to macvtaps on ${parent}, ${name}`,
    ...{ name, parent, addresses, routes },
    mac: hostWayMacOf(parent, card.link.mac ?? ''),
    managed: isManaged(manager, card),
    ...(own !== undefined && { own }),
  };
}

type Card = NonNullable<SetupFacts['card']>;

/** What somebody may take back is nothing to build on; but what leads there now tells where the guests are. */
function lastingFact({ link, networks, strict }: Card, own: boolean): HostAccessFact {
  const all = (link?.addresses ?? []).filter((one) => !one.link);
  return { addresses: all.filter(({ dynamic }) => own || !dynamic).map(({ cidr }) => cidr), networks, strict };
}

/** Ways of this setup and of earlier ones. */
export function waysOf({ recorded }: SetupFacts, now: WayItem | undefined): readonly WayItem[] {
  const earlier = recorded.flatMap(({ item }) => (item.kind === 'way' && item.name !== now?.name ? [item] : []));
  return now === undefined ? earlier : [...earlier, now];
}

export function faultOfCard({ hostAccess: name, address }: SetupOptions, facts: SetupFacts): QrunError | undefined {
  const { card } = facts;
  if (name === undefined || card === undefined) return undefined;
  const { link, existing } = card;
  const fault = link === undefined ? undefined : faultOfLink(name, card);
  if (link === undefined)
    return new QrunError('host-failed', `there is no interface ${name}`, { hint: 'ip -brief link' });
  if (fault !== undefined) return fault;
  const way = lastingWayNameOf(name);
  const theirs = existing === undefined ? undefined : faultOfExisting(way, existing, facts);
  if (theirs !== undefined)
    return new QrunError('in-use', theirs, {
      hint: `ip -details link show dev ${way}; if nobody needs it: sudo ip link delete dev ${way}`,
    });
  const recorded = facts.recorded.some(
    ({ item }) => item.kind === 'way' && item.name === way && item.own !== undefined,
  );
  const leased = link.addresses.find((one) => one.dynamic && !one.cidr.includes(':'));
  if (address !== undefined || recorded || leased === undefined) return undefined;
  return new QrunError(
    'host-failed',
    `${name} has its address by DHCP (${leased.cidr}), and may have another one at the next start`,
    { hint: `sudo qrun setup --host-access ${name} --address A.B.C.D/32, with one that its server does not give` },
  );
}

/** An interface of that name is made anew, so it must be setup's: by the record, or where that is lost by the alias. */
function faultOfExisting(name: string, existing: LinkLook, { recorded }: SetupFacts): string | undefined {
  const entry = recorded.find(({ item }) => item.kind === 'way' && item.name === name);
  if (entry?.item.kind === 'way') return faultOfOurWay(entry.item, existing, entry.state);
  if (existing.kind === 'macvlan' && existing.alias === bridgeAlias) return undefined;
  return `${name} is an interface already, and not the host's way to macvtaps`;
}

function faultOfLink(name: string, { link, wifi, loopback, macvlan }: Card): QrunError | undefined {
  if (wifi)
    return new QrunError(
      'missing-feature',
      `${name} is Wi-Fi: an access point takes frames from the card's own MAC alone, and never a guest's`,
      { hint: 'kind: user or passt, or a cable' },
    );
  if (macvlan)
    return new QrunError(
      'host-failed',
      `${name} is a macvlan itself: in its mode bridge the host reaches guests as it is`,
      { hint: `parent: ${name} in profiles, without setup` },
    );
  if (loopback)
    return new QrunError('host-failed', `${name} is the loopback, and no macvtap can stand on it`, {
      hint: 'kind: user',
    });
  if (link?.master !== undefined)
    return new QrunError('in-use', `${name} is a port of ${link.master}, which takes all of its frames`, {
      hint: `sudo qrun setup --bridge ${link.master}`,
    });
  if (link?.up === true) return undefined;
  return new QrunError('host-failed', `${name} is down`, { hint: `sudo ip link set dev ${name} up` });
}

function notesOf({ name, parent, own }: WayItem, { manager, card }: SetupFacts): string[] {
  const announced = (card?.link?.addresses ?? []).some((one) => one.dynamic && one.cidr.includes(':'));
  return [
    ...(manager === 'none'
      ? [`nobody makes ${name} again at the next start of the host: there is no systemd; sudo qrun setup does`]
      : []),
    ...(announced && own === undefined
      ? [`what a router announces of IPv6 on ${parent} may change: over ${name} guests have IPv6 of the link (fe80::)`]
      : []),
  ];
}
