/**
 * A network card of the host's as a port of the bridge. What it had is written down before: addresses and routes are made again from that, on the
 * bridge now and on the card when it is taken back. Each command may be given again, so a setup that was killed half-way goes on.
 */
import type { Before, SetupAction, UplinkItem } from '../item.ts';
import type { SetupHost, SetupKind } from '../kind.ts';
import { lookAtLink } from './look.ts';

export const uplink: SetupKind<UplinkItem> = {
  isDone: ({ link, bridge }, host) => {
    const look = lookAtLink(link, host);
    return look?.master === bridge && look.up && look.addresses.every((one) => one.link);
  },
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
  /** With their lengths; none that the kernel makes by itself. */
  readonly addresses: readonly string[];
  /** As `ip route` prints them and takes them, without the link, in an order in which they can be made. */
  readonly routes: readonly UplinkRoute[];
  /** Some of its addresses come from a DHCP server. */
  readonly dynamic: boolean;
}

interface UplinkRoute {
  readonly family: '-4' | '-6';
  readonly words: readonly string[];
}

export function lookAtUplink(link: string, host: SetupHost): UplinkLook {
  const look = lookAtLink(link, host);
  return {
    up: look?.up === true,
    addresses: (look?.addresses ?? []).filter((one) => !one.link).map(({ cidr }) => cidr),
    routes: (['-4', '-6'] as const).flatMap((family) =>
      parseRoutes(askRoutes(family, link, host)).map((words) => ({ family, words })),
    ),
    dynamic: look?.addresses.some((one) => one.dynamic && !one.cidr.includes(':')) === true,
  };
}

function askRoutes(family: string, link: string, { system }: SetupHost): string {
  const { status, stdout } = system.runNow('ip', [family, 'route', 'show', 'dev', link], { timeoutMs: 10_000 });
  return status === 0 ? stdout : '';
}

/** Those to networks first: the way to a gateway must be there before the route by it is. What the kernel makes with an address is left out. */
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
    .filter((words) => !words.join(' ').includes('proto kernel'))
    .map(withoutExpiry);
  return rows.toSorted((one, other) => Number(one.includes('via')) - Number(other.includes('via')));
}

const flags = new Set(['linkdown', 'dead', 'pervasive', 'offload', 'trap']);

/** `expires 1790sec` is for how long a router promised it. */
function withoutExpiry(words: readonly string[]): string[] {
  const at = words.indexOf('expires');
  return at < 0 ? [...words] : words.toSpliced(at, 2);
}

function move(
  { addresses, from, to }: { readonly addresses: readonly string[]; readonly from: string; readonly to: string },
  host: SetupHost,
): SetupAction[] {
  const there = lookAtLink(from, host)?.addresses.map(({ cidr }) => cidr) ?? [];
  return addresses.flatMap((cidr) => [
    ...(there.includes(cidr) ? [run('ip', 'address', 'delete', cidr, 'dev', from)] : []),
    run('ip', 'address', 'replace', cidr, 'dev', to, ...broadcastOf(cidr)),
  ]);
}

const broadcastOf = (cidr: string): string[] => (cidr.includes(':') || /\/3[12]$/.test(cidr) ? [] : ['broadcast', '+']);

const restoreRoutes = (routes: readonly UplinkRoute[], link: string): SetupAction[] =>
  routes.map(({ family, words }) => run('ip', family, 'route', 'replace', ...words, 'dev', link));

const run = (...argv: readonly string[]): SetupAction => ({ do: 'run', argv });

/** A record is root's alone to write. */
export function parseBefore(before: Before): UplinkLook {
  const { up = false, addresses = [], routes = [], dynamic = false } = before as Partial<UplinkLook>;
  return { up, addresses, routes, dynamic };
}
