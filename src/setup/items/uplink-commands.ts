/** Commands that give a link what another had. Each may be given again. */
import type { BridgeCommand } from './bridge.ts';
import type { UplinkAddress, UplinkNeighbour, UplinkRoute } from './uplink-look.ts';

/** As `ip address` takes it. */
const addressWords = ({ cidr, peer }: Pick<UplinkAddress, 'cidr' | 'peer'>): string[] => {
  const [own = '', length = ''] = cidr.split('/');
  return peer === undefined ? [cidr] : [own, 'peer', `${peer}/${length}`];
};

/**
 * @param lease with the lifetime that it had. On a bridge an address of DHCP has none until somebody asks for it there: the host would be cut off when it
 * ran out.
 */
export function moveAddress(address: UplinkAddress, to: string, lease: boolean): string[] {
  const { broadcast, label, scope, metric, flags = [], lifetime } = address;
  const isIpv6 = address.cidr.includes(':');
  const pair = (key: string, value: string | number | undefined): string[] =>
    value === undefined ? [] : [key, String(value)];
  return [
    ...['ip', 'address', 'replace', ...addressWords(address), 'dev', to],
    ...pair('broadcast', broadcast),
    ...pair('label', labelOn(to, label)),
    ...pair('scope', scope),
    ...pair('metric', metric),
    ...flags,
    ...(lifetime === undefined || (!lease && !isIpv6)
      ? []
      : ['valid_lft', secondsOf(lifetime.valid), 'preferred_lft', secondsOf(lifetime.preferred)]),
    // it was the host's, on that very LAN, a moment ago
    ...(isIpv6 ? ['nodad'] : []),
  ];
}

const secondsOf = (seconds: number | null): string => (seconds === null ? 'forever' : String(seconds));

const longestLabel = 15;

/** A label begins with the name of its link. */
function labelOn(link: string, label: string | undefined): string | undefined {
  if (label === undefined) return undefined;
  const name = `${link}:${label}`;
  return name.length > longestLabel ? undefined : name;
}

export const removeAddress = (address: UplinkAddress, from: string): string[] => [
  ...['ip', 'address', 'delete', ...addressWords(address), 'dev', from],
];

/** `replace` of IPv4 takes the place of any route with the same metric, through whichever card: the way out through another would be gone. */
export const routeCommand = ({ family, words }: UplinkRoute, link: string): string[] => [
  ...['ip', family, 'route', family === '-4' ? 'append' : 'replace'],
  ...wordsOn(words, link),
];

export const removeRoute = ({ family, words }: UplinkRoute, link: string): string[] => [
  ...['ip', family, 'route', 'delete'],
  ...wordsOn(words, link),
];

const wordsOn = (words: readonly string[], link: string): string[] =>
  words.includes('nexthop') ? words.map((word) => (word === '@' ? link : word)) : [...words, 'dev', link];

/** The same for who starts with the host, and may be started again. */
export function routeCommands(route: UplinkRoute, link: string): BridgeCommand[] {
  const make: BridgeCommand = { argv: routeCommand(route, link) };
  if (route.family === '-6') return [make];
  return [{ argv: removeRoute(route, link), mayFail: true }, make];
}

export const moveNeighbour = ({ address, mac }: UplinkNeighbour, to: string): string[] =>
  mac === undefined
    ? ['ip', 'neighbour', 'replace', 'proxy', address, 'dev', to]
    : ['ip', 'neighbour', 'replace', address, 'lladdr', mac, 'nud', 'permanent', 'dev', to];

export const removeNeighbour = ({ address, mac }: UplinkNeighbour, from: string): string[] => [
  ...['ip', 'neighbour', 'delete', ...(mac === undefined ? ['proxy'] : []), address, 'dev', from],
];
