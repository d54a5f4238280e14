/** What a network card has that becomes the bridge's, as `ip` prints it and takes it again; and what of it cannot be moved. */
import { parseAddress, parseSubnet } from '../../subnet.ts';
import type { SetupHost } from '../kind.ts';
import { lookAtLink, type AddressLook } from './look.ts';

export interface UplinkLook {
  readonly up: boolean;
  /** None that comes by itself, from the kernel or from a router's announcement. */
  readonly addresses: readonly UplinkAddress[];
  /** Of all tables, in an order in which they can be made. */
  readonly routes: readonly UplinkRoute[];
  /** Those that a person wrote down, and addresses that the host answers for. */
  readonly neighbours?: readonly UplinkNeighbour[];
  /** Some of its addresses come from a DHCP server. */
  readonly dynamic: boolean;
  /** Of IPv6, for the link alone: they stay. */
  readonly links?: readonly string[];
}

export type UplinkAddress = Omit<AddressLook, 'dynamic' | 'link' | 'byItself'>;

type Family = '-4' | '-6';

export interface UplinkRoute {
  readonly family: Family;
  /** Without the link; in a route of several ways `dev` has `@` for it. */
  readonly words: readonly string[];
}

export interface UplinkNeighbour {
  readonly address: string;
  /** Undefined: the host answers for it. */
  readonly mac?: string;
}

const families: readonly Family[] = ['-4', '-6'];

export function lookAtUplink(link: string, host: SetupHost): UplinkLook {
  const look = lookAtLink(link, host);
  const all = look?.addresses ?? [];
  return {
    up: look?.up === true,
    addresses: all.filter(isMoved).map(lasting),
    routes: families.flatMap((family) => {
      const { routes } = parseRoutes(askRoutes(family, host), link, all);
      return routes.map((words) => ({ family, words }));
    }),
    neighbours: [
      ...parseNeighbours(ask(['-j', 'neighbour', 'show', 'dev', link, 'nud', 'permanent'], host)),
      ...parseNeighbours(ask(['-j', 'neighbour', 'show', 'proxy', 'dev', link], host)),
    ],
    dynamic: all.some((one) => one.dynamic && !one.cidr.includes(':')),
    links: all.flatMap(({ link: isOwn, cidr }) => (isOwn ? [cidr] : [])),
  };
}

function lasting(look: AddressLook): UplinkAddress {
  const { dynamic: _dynamic, link: _link, byItself: _byItself, ...address } = look;
  return address;
}

/** Those that a router announces come on the bridge by themselves. */
export const isMoved = ({ link, byItself }: AddressLook): boolean => !link && byItself !== true;

/** What stays behind: routes that setup could not make again, and rules, which go on naming the card. */
export function lookAtLeft(
  link: string,
  host: SetupHost,
): { readonly routes: readonly string[]; readonly rules: readonly string[] } {
  const all = lookAtLink(link, host)?.addresses ?? [];
  return {
    routes: families.flatMap((family) => parseRoutes(askRoutes(family, host), link, all).unknown),
    rules: families.flatMap((family) =>
      ask([family, 'rule', 'show'], host)
        .split('\n')
        .map((line) => line.trim().replaceAll(/\s+/g, ' '))
        .filter((line) => [` iif ${link} `, ` oif ${link} `].some((name) => `${line} `.includes(name))),
    ),
  };
}

const askRoutes = (family: Family, host: SetupHost): string =>
  ask(['-oneline', family, 'route', 'show', 'table', 'all'], host);

function ask(args: readonly string[], { system }: SetupHost): string {
  const { status, stdout } = system.runNow('ip', args, { timeoutMs: 30_000 });
  return status === 0 ? stdout : '';
}

/**
 * Of IPv6, what the kernel would leave with a link that has no address any more: what a router announced, and the network of an address that runs out.
 */
export function lookAtStrays(link: string, host: SetupHost): UplinkRoute[] {
  const lasting = (lookAtLink(link, host)?.addresses ?? []).filter((one) => isMoved(one) && one.lifetime === undefined);
  return parseStrays(askRoutes('-6', host), link, lasting).map((words) => ({ family: '-6', words }));
}

/**
 * @param text of `ip -oneline -6 route show table all`
 * @param lasting addresses that take the routes of their networks along
 */
export function parseStrays(
  text: string,
  link: string,
  lasting: readonly Pick<AddressLook, 'cidr' | 'peer'>[],
): readonly (readonly string[])[] {
  const kept = new Set(lasting.map((one) => networkOf(one)));
  const isStray = (words: readonly string[]): boolean => {
    const [to = ''] = words;
    if (types.has(to) || to.startsWith('fe80:') || valueIn(words, 'table') === 'local' || !isKnown(words)) return false;
    if (words.includes('expires') || valueIn(words, 'proto') === 'ra') return true;
    return valueIn(words, 'proto') === 'kernel' && !kept.has(networkOf({ cidr: to }));
  };
  return rowsOf(text, link)
    .filter(isStray)
    .map((words) => withoutLink(words, link));
}

/**
 * Those to networks first: the way to a gateway must be there before the route by it is. What the kernel makes with an address, or a router's
 * announcement, is left out: it comes by itself.
 * @param text of `ip -oneline route show table all`
 */
export function parseRoutes(
  text: string,
  link: string,
  addresses: readonly AddressLook[],
): { readonly routes: readonly (readonly string[])[]; readonly unknown: readonly string[] } {
  const rows = rowsOf(text, link).filter((words) => !comesByItself(words, addresses));
  return {
    routes: rows
      .filter(isKnown)
      .map((words) => withoutLink(words, link))
      .toSorted((one, other) => Number(one.includes('via')) - Number(other.includes('via'))),
    unknown: rows.filter((words) => !isKnown(words)).map((words) => words.join(' ')),
  };
}

const rowsOf = (text: string, link: string): string[][] =>
  text
    .split('\n')
    .map((line) => line.split(/[\s\\]+/).filter((word) => word !== '' && !flags.has(word)))
    .filter((words) => words.some((word, index) => word === 'dev' && words[index + 1] === link));

const valueIn = (words: readonly string[], key: string): string | undefined =>
  words.includes(key) ? words[words.indexOf(key) + 1] : undefined;

const flags = new Set(['linkdown', 'dead', 'pervasive', 'offload', 'trap']);
const types = new Set(['unicast', 'local', 'broadcast', 'anycast', 'multicast']);
/** What `ip` takes as it prints it. */
const pairs = new Set([
  ...['via', 'dev', 'proto', 'scope', 'src', 'metric', 'table', 'tos', 'pref', 'expires', 'weight', 'mtu', 'advmss'],
  ...['initcwnd', 'initrwnd', 'cwnd', 'window', 'hoplimit', 'rtt', 'rttvar', 'rto_min', 'ssthresh', 'reordering'],
  ...['quickack', 'congctl', 'features', 'fastopen_no_cookie'],
]);
const singles = new Set(['onlink', 'nexthop']);
const between = new Set(['inet', 'inet6', 'lock']);

/** Not so: those of nexthop objects, encapsulations, and whatever this was not made for. */
function isKnown(words: readonly string[]): boolean {
  const rest = words.slice(types.has(words[0] ?? '') ? 2 : 1);
  while (rest.length > 0) {
    const word = rest.shift() ?? '';
    if (singles.has(word)) continue;
    if (!pairs.has(word)) return false;
    if (between.has(rest[0] ?? '')) rest.shift();
    if (rest.shift() === undefined) return false;
  }
  return true;
}

function withoutLink(words: readonly string[], link: string): string[] {
  const seconds = words.map((word, index) => (words[index - 1] === 'expires' ? word.replace(/sec$/, '') : word));
  const isLink = (at: number): boolean => seconds[at - 1] === 'dev' && seconds[at] === link;
  if (seconds.includes('nexthop')) return seconds.map((word, at) => (isLink(at) ? '@' : word));
  return seconds.filter((_, at) => !isLink(at) && !isLink(at + 1));
}

function comesByItself(words: readonly string[], addresses: readonly AddressLook[]): boolean {
  const valueOf = (key: string): string | undefined => valueIn(words, key);
  const proto = valueOf('proto');
  if (proto === 'ra') return true;
  if (proto !== 'kernel') return false;
  if (valueOf('table') === 'local' || words[0]?.startsWith('fe80::/') === true) return true;
  const to = networkOf({ cidr: words[0] ?? '' });
  return addresses.some((address) => {
    const { cidr } = address;
    const leads = [networkOf(address), networkOf({ cidr })].includes(to);
    if (address.byItself === true || !leads) return leads;
    if (address.flags?.includes('noprefixroute') === true) return false;
    const metric = String(address.metric ?? (cidr.includes(':') ? 256 : 0));
    const [own] = cidr.split('/');
    return (valueOf('metric') ?? '0') === metric && (valueOf('src') ?? own) === own;
  });
}

/** Of an address, or of a destination as `ip` prints it, which is without a length when it is one address. */
function networkOf({ cidr, peer }: Pick<AddressLook, 'cidr' | 'peer'>): string | undefined {
  const [own = '', length] = cidr.split('/');
  const bits = parseAddress(own)?.family === 6 ? 128 : 32;
  return parseSubnet(`${peer ?? own}/${length ?? bits}`)?.cidr;
}

/** Of `ip -j neighbour`. */
function parseNeighbours(text: string): UplinkNeighbour[] {
  const rows: unknown = text.trim() === '' ? [] : JSON.parse(text);
  if (!Array.isArray(rows)) return [];
  return rows.flatMap(({ dst, lladdr }: { readonly dst?: unknown; readonly lladdr?: unknown }) =>
    typeof dst === 'string' ? [{ address: dst, ...(typeof lladdr === 'string' && { mac: lladdr }) }] : [],
  );
}
