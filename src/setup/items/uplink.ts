/**
 * A network card of the host's as a port of the bridge. What it had is written down before: addresses and routes are made again from that, on the
 * bridge now and on the card when it is taken back. Each command may be given again, so a setup that was killed half-way goes on.
 */
import type { Before, SetupAction, UplinkItem } from '../item.ts';
import type { SetupHost, SetupKind } from '../kind.ts';
import type { BridgeCommand } from './bridge.ts';
import { lookAtLink, type AddressLook } from './look.ts';

export const uplink: SetupKind<UplinkItem> = {
  isDone: ({ link, bridge }, host) => {
    const look = lookAtLink(link, host);
    return look?.master === bridge && look.up && look.addresses.filter(isMoved).length === 0;
  },
  // routes are made after addresses
  resumes: true,
  before: ({ link }, host) => ({ ...lookAtUplink(link, host) }),
  actions: ({ link, bridge }, before, host) => {
    const { addresses, routes } = parseBefore(before);
    return [
      run('ip', 'link', 'set', 'dev', link, 'master', bridge),
      run('ip', 'link', 'set', 'dev', link, 'up'),
      ...move({ addresses, from: link, to: bridge }, host),
      ...restoreRoutes(routes, bridge),
    ];
  },
  whyKept: ({ link }, _, host) =>
    lookAtLink(link, host) === undefined ? { why: `there is no ${link} any more`, forget: true } : undefined,
  undo: ({ link, bridge }, before, host) => {
    const { addresses, routes, up } = parseBefore(before);
    const look = lookAtLink(link, host);
    const mine = look?.master === bridge;
    return [
      ...(mine ? [run('ip', 'link', 'set', 'dev', link, 'nomaster')] : []),
      ...move({ addresses, from: bridge, to: link }, host),
      ...(up ? restoreRoutes(routes, link) : [run('ip', 'link', 'set', 'dev', link, 'down')]),
    ];
  },
};

export interface UplinkLook {
  readonly up: boolean;
  /** None that comes by itself, from the kernel or from a router's announcement. */
  readonly addresses: readonly UplinkAddress[];
  /** As `ip route` prints them and takes them, without the link, in an order in which they can be made. */
  readonly routes: readonly UplinkRoute[];
  /** Some of its addresses come from a DHCP server. */
  readonly dynamic: boolean;
}

/** As they were given. */
export interface UplinkAddress {
  /** With its length. */
  readonly cidr: string;
  readonly broadcast?: string;
  /** Of the route to its network, where it is not the kernel's own. */
  readonly metric?: number;
}

interface UplinkRoute {
  readonly family: '-4' | '-6';
  readonly words: readonly string[];
}

export function lookAtUplink(link: string, host: SetupHost): UplinkLook {
  const look = lookAtLink(link, host);
  return {
    up: look?.up === true,
    addresses: (look?.addresses ?? []).filter(isMoved).map(({ cidr, broadcast, metric }) => ({
      cidr,
      ...(broadcast !== undefined && { broadcast }),
      ...(metric !== undefined && { metric }),
    })),
    routes: (['-4', '-6'] as const).flatMap((family) =>
      parseRoutes(askRoutes(family, link, host)).map((words) => ({ family, words })),
    ),
    dynamic: look?.addresses.some((one) => one.dynamic && !one.cidr.includes(':')) === true,
  };
}

/** Those that a router announces come on the bridge by themselves. */
const isMoved = ({ cidr, dynamic, link }: AddressLook): boolean => !link && !(dynamic && cidr.includes(':'));

function askRoutes(family: string, link: string, { system }: SetupHost): string {
  const { status, stdout } = system.runNow('ip', [family, 'route', 'show', 'dev', link], { timeoutMs: 10_000 });
  return status === 0 ? stdout : '';
}

/**
 * Those to networks first: the way to a gateway must be there before the route by it is. What the kernel makes with an address, or a router's
 * announcement, is left out: it comes by itself.
 */
export function parseRoutes(text: string): string[][] {
  const rows = text
    .split('\n')
    .map((line) =>
      line
        .trim()
        .split(/\s+/)
        .filter((word) => !flags.has(word)),
    )
    .filter((words) => (words[0] ?? '') !== '' && words[0] !== 'fe80::/64' && words[0] !== 'multicast')
    .filter((words) => !/ proto (kernel|ra)( |$)/.test(words.join(' ')));
  return rows.toSorted((one, other) => Number(one.includes('via')) - Number(other.includes('via')));
}

const flags = new Set(['linkdown', 'dead', 'pervasive', 'offload', 'trap']);

interface Move {
  readonly addresses: readonly UplinkAddress[];
  readonly from: string;
  readonly to: string;
}

/** With the first of a network the kernel may take the others away as well. `nodad`: it was the host's, on that very LAN, a moment ago. */
function move({ addresses, from, to }: Move, host: SetupHost): SetupAction[] {
  const there = lookAtLink(from, host)?.addresses ?? [];
  const byThemselves = there.some((one) => !one.link && !isMoved(one));
  return [
    ...(byThemselves
      ? [{ ...run('ip', '-6', 'address', 'flush', 'dev', from, 'dynamic'), mayFail: true } as const]
      : []),
    ...addresses.flatMap(({ cidr, broadcast, metric }) => [
      ...(there.some((one) => one.cidr === cidr)
        ? [{ ...run('ip', 'address', 'delete', cidr, 'dev', from), mayFail: true } as const]
        : []),
      run(
        'ip',
        'address',
        'replace',
        cidr,
        'dev',
        to,
        ...(broadcast === undefined ? [] : ['broadcast', broadcast]),
        ...(metric === undefined ? [] : ['metric', String(metric)]),
        ...(cidr.includes(':') ? ['nodad'] : []),
      ),
    ]),
  ];
}

/** A network manager may have made them meanwhile. */
const restoreRoutes = (routes: readonly UplinkRoute[], link: string): SetupAction[] =>
  routes.map((route) => ({ ...run(...routeCommand(route, link)), mayExist: true }));

/** `replace` of IPv4 takes the place of any route with the same metric, through whichever card: the way out through another would be gone. */
export const routeCommand = ({ family, words }: UplinkRoute, link: string): string[] => [
  ...['ip', family, 'route', family === '-4' ? 'append' : 'replace'],
  ...words,
  ...['dev', link],
];

/** The same for who starts with the host, and may be started again. */
export function routeCommands(route: UplinkRoute, link: string): BridgeCommand[] {
  const { family, words } = route;
  const make: BridgeCommand = { argv: routeCommand(route, link) };
  if (family === '-6') return [make];
  return [{ argv: ['ip', family, 'route', 'delete', ...words, 'dev', link], mayFail: true }, make];
}

const run = (...argv: readonly string[]): Extract<SetupAction, { do: 'run' }> => ({ do: 'run', argv });

/** A record is root's alone to write. */
export function parseBefore(before: Before): UplinkLook {
  const { up = false, addresses = [], routes = [], dynamic = false } = before as Partial<UplinkLook>;
  return { up, addresses, routes, dynamic };
}
