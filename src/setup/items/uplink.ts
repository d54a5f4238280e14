/**
 * A network card of the host's as a port of the bridge. What it had is written down before: addresses and routes are made again from that, on the
 * bridge now and on the card when it is taken back. Each command may be given again, so a setup that was killed half-way goes on.
 */
import type { Before, SetupAction, UplinkItem } from '../item.ts';
import type { SetupHost, SetupKind } from '../kind.ts';
import { whyTheirs } from './bridge.ts';
import { lookAtLink, portsOf, type AddressLook } from './look.ts';
import {
  moveAddress,
  moveNeighbour,
  removeAddress,
  removeNeighbour,
  removeRoute,
  routeCommand,
} from './uplink-commands.ts';
import {
  isMoved,
  lookAtStrays,
  lookAtUplink,
  type UplinkAddress,
  type UplinkLook,
  type UplinkRoute,
} from './uplink-look.ts';

export const uplink: SetupKind<UplinkItem> = {
  isDone: ({ link, bridge }, host) => {
    const look = lookAtLink(link, host);
    return look?.master === bridge && look.up && look.addresses.filter(isMoved).length === 0;
  },
  // routes are made after addresses
  resumes: true,
  before: ({ link }, host) => ({ ...lookAtUplink(link, host) }),
  anew: (item, before, host) => lookAnew(item, parseBefore(before), host),
  actions: ({ link, bridge, reload = [] }, before, host) => [
    run('ip', 'link', 'set', 'dev', link, 'master', bridge),
    run('ip', 'link', 'set', 'dev', link, 'up'),
    ...move(parseBefore(before), { from: link, to: bridge, lease: false, strays: lookAtStrays(link, host) }, host),
    ...reload.map((argv) => perhaps(...argv)),
  ],
  whyKept: ({ link, bridge }, before, host) => {
    const look = lookAtLink(link, host);
    if (look === undefined) return { why: `there is no ${link} any more`, forget: true };
    const had = parseBefore(before);
    const isDown = had.up && had.routes.length > 0 && !look.up && !isOtherwise({ link, bridge }, had, host);
    if (isDown)
      return { why: `${link} is down, and cannot have its routes so (sudo ip link set dev ${link} up first)` };
    const isInUse = look.master === bridge || hasAny(bridge, had, host);
    return isInUse ? whyTheirs(bridge, host) : undefined;
  },
  undo: ({ link, bridge }, before, host) => {
    const had = parseBefore(before);
    if (isOtherwise({ link, bridge }, had, host)) return [];
    const mine = lookAtLink(link, host)?.master === bridge;
    // by another port a router may go on announcing
    const strays = mine && portsOf(bridge, host).length === 1 ? lookAtStrays(bridge, host) : [];
    const way = { from: bridge, to: link, lease: true, strays };
    return [
      ...(mine ? [run('ip', 'link', 'set', 'dev', link, 'nomaster')] : []),
      ...move(had.up ? had : { ...had, routes: [] }, way, host),
      ...(had.up ? ownAddresses(link, had, host) : [run('ip', 'link', 'set', 'dev', link, 'down')]),
      ...(had.up && strays.some(isAnnounced) ? askRouters(link, had) : []),
    ];
  },
};

type Pair = Pick<UplinkItem, 'link' | 'bridge'>;

/** A start of the host without the bridge may have given the card other addresses, and a DHCP client may have given some to a port. */
function lookAnew({ link, bridge }: Pair, had: UplinkLook, host: SetupHost): (UplinkLook & Before) | undefined {
  const now = lookAtUplink(link, host);
  const addresses = now.addresses.filter((one) => !isOneOf(one, had.addresses));
  const routes = now.routes.filter((one) => !had.routes.some((other) => keyOf(other) === keyOf(one)));
  if (addresses.length + routes.length === 0) return undefined;
  if (lookAtLink(link, host)?.master !== bridge && !hasAny(bridge, had, host)) return { ...now };
  return { ...had, addresses: [...had.addresses, ...addresses], routes: [...had.routes, ...routes] };
}

/** It is no port any more, and has addresses that it had not: who gave them took it back already. */
function isOtherwise({ link, bridge }: Pair, had: UplinkLook, host: SetupHost): boolean {
  const look = lookAtLink(link, host);
  if (look === undefined || look.master === bridge || hasAny(bridge, had, host)) return false;
  return look.addresses.some((one) => isMoved(one) && !isOneOf(one, had.addresses));
}

const hasAny = (link: string, { addresses }: UplinkLook, host: SetupHost): boolean =>
  lookAtLink(link, host)?.addresses.some((one) => isOneOf(one, addresses)) === true;

const isOneOf = (one: UplinkAddress, all: readonly UplinkAddress[]): boolean => all.some((other) => isSame(one, other));

/** Seconds that are left are no difference. */
const keyOf = ({ family, words }: UplinkRoute): string =>
  [family, ...words.filter((word, at) => word !== 'expires' && words[at - 1] !== 'expires')].join(' ');

/** Those of IPv6 for the link alone: the kernel gave a port its own, and somebody else may have chosen them before. */
function ownAddresses(link: string, { links }: UplinkLook, host: SetupHost): SetupAction[] {
  if (links === undefined) return [];
  const there = (lookAtLink(link, host)?.addresses ?? []).flatMap((one) => (one.link ? [one.cidr] : []));
  return [
    ...there.filter((one) => !links.includes(one)).map((cidr) => perhaps('ip', 'address', 'delete', cidr, 'dev', link)),
    ...links
      .filter((one) => !there.includes(one))
      .map((cidr) => perhaps('ip', 'address', 'replace', cidr, 'dev', link, 'scope', 'link', 'nodad')),
  ];
}

const isAnnounced = ({ words }: UplinkRoute): boolean => words.includes('ra') || words.includes('expires');

/** The kernel asks who announces when a link has its first address of its own, and else waits for minutes. */
function askRouters(link: string, { links = [] }: UplinkLook): SetupAction[] {
  const [only, ...others] = links;
  if (only === undefined || others.length > 0) return [];
  return [
    perhaps('ip', 'address', 'delete', only, 'dev', link),
    perhaps('ip', 'address', 'replace', only, 'dev', link, 'scope', 'link', 'nodad'),
  ];
}

interface Move {
  readonly from: string;
  readonly to: string;
  /** Addresses are given for as long as they were. */
  readonly lease: boolean;
  /** Routes that would stay behind. */
  readonly strays: readonly UplinkRoute[];
}

/** Routes that would outlive their addresses go first, and new ones come last. */
function move({ addresses, routes, neighbours = [] }: UplinkLook, way: Move, host: SetupHost): SetupAction[] {
  const { from, to, strays } = way;
  const there = lookAtLink(from, host)?.addresses ?? [];
  const byThemselves = there.some((one) => one.byItself === true);
  const keepsIpv4 = there.some((one) => !one.cidr.includes(':') && !addresses.some((moved) => isSame(one, moved)));
  const outlives = ({ family, words }: UplinkRoute): boolean =>
    words.includes('nexthop') || (family === '-4' && keepsIpv4);
  return [
    ...(byThemselves ? [perhaps('ip', '-6', 'address', 'flush', 'dev', from, 'dynamic')] : []),
    ...routes.filter(outlives).map((route) => perhaps(...removeRoute(route, from))),
    ...addresses.flatMap((address) => moved(address, there, way)),
    ...strays.map((route) => perhaps(...removeRoute(route, from))),
    // a network manager may have made them meanwhile
    ...routes.map((route) => ({ ...run(...routeCommand(route, to)), mayExist: true as const })),
    ...neighbours.flatMap((neighbour) => [
      perhaps(...removeNeighbour(neighbour, from)),
      run(...moveNeighbour(neighbour, to)),
    ]),
  ];
}

/** With the first of a network the kernel may take the others away as well. */
function moved(address: UplinkAddress, there: readonly AddressLook[], { from, to, lease }: Move): SetupAction[] {
  const isThere = there.some((one) => isSame(one, address));
  return [...(isThere ? [perhaps(...removeAddress(address, from))] : []), run(...moveAddress(address, to, lease))];
}

const isSame = (one: UplinkAddress, other: UplinkAddress): boolean =>
  one.cidr === other.cidr && one.peer === other.peer;

type RunAction = Extract<SetupAction, { do: 'run' }>;

const run = (...argv: readonly string[]): RunAction => ({ do: 'run', argv });
const perhaps = (...argv: readonly string[]): RunAction => ({ do: 'run', argv, mayFail: true });

/** A record is root's alone to write. */
export function parseBefore(before: Before): UplinkLook {
  const { up = false, addresses = [], routes = [], dynamic = false, ...more } = before as Partial<UplinkLook>;
  const { neighbours = [], links } = more;
  return { up, addresses, routes, neighbours, dynamic, ...(links !== undefined && { links }) };
}
