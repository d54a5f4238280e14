/** The rules of address translation: forwards into a network, and guests of mode nat out of it. Pure. */
import { QrunError } from '../../errors.ts';
import {
  addFilledChain,
  ct,
  dnat,
  field,
  has,
  is,
  isNot,
  jump,
  masquerade,
  meta,
  prefixOf,
  typeOfDestination,
  type NftCommand,
  type NftExpression,
  type NftTable,
} from '../../plan/nft-commands.ts';
import { renderHost } from '../../profile/address.ts';
import { canonicalAddress, parseAddress, parseSubnet } from '../../subnet.ts';
import type { NetworkForward } from '../network-plan.ts';
import type { BridgedMode } from './mode.ts';

interface Translated {
  readonly bridge: string;
  readonly mode: BridgedMode;
  readonly subnets: readonly string[];
  readonly own: readonly { readonly family: 4 | 6; readonly protocol: 'ip' | 'ip6'; readonly set: string }[];
  readonly nat?: {
    readonly ports?: { readonly from: number; readonly to: number };
    readonly dev?: string;
    readonly ipv6?: boolean;
  };
  readonly forwards: readonly NetworkForward[];
}

export const isLoopback = (address: string): boolean => address.startsWith('127.');

const isAny = (address: string): boolean => address === '0.0.0.0' || canonicalAddress(address) === '::';

/** Whether the host reaches a guest from an address of IPv4 that no other link is to see: the bridge needs `route_localnet` then. */
export const needsRouteLocalnet = (forwards: readonly Pick<NetworkForward, 'hostAddress'>[]): boolean =>
  forwards.some(({ hostAddress }) => hostAddress === '0.0.0.0' || hostAddress.startsWith('127.'));

/**
 * Why no rule can do it; undefined: one can. There is no route_localnet of IPv6: with a route for ::1 on the bridge it works until somebody loads
 * br_netfilter, which translates the answer back before the kernel looks at where it came from.
 */
export function faultOfForwardRule(
  { hostAddress, guestAddress }: Pick<NetworkForward, 'hostAddress' | 'guestAddress'>,
  subnets: readonly string[],
): string | undefined {
  const [host, guest] = [parseAddress(hostAddress), parseAddress(guestAddress)];
  if (host === undefined || guest === undefined)
    return `${host === undefined ? hostAddress : guestAddress} is no address`;
  if (canonicalAddress(hostAddress) === '::1')
    return 'the kernel lets nobody but the host itself have packets of ::1: 127.0.0.1 and an address of the guest of IPv4 do it';
  if (host.family !== guest.family)
    return `${hostAddress} is of IPv${host.family} and ${guestAddress} of IPv${guest.family}: rules translate no family into the other`;
  if (subnets.some((cidr) => parseSubnet(cidr)?.contains(guestAddress) === true)) return undefined;
  return `${guestAddress} is not in the network (${subnets.join(', ')})`;
}

/** What comes to an address of the host's goes on to a guest: from outside, from guests (by way of the host, and back), from the host itself. */
export function destinationCommands(
  table: NftTable,
  { forwards, subnets }: Translated,
  priority: number,
): NftCommand[] {
  if (forwards.length === 0) return [];
  for (const forward of forwards) requirePossible(forward, subnets);
  const everywhere = forwards.filter(({ hostAddress }) => !isLoopback(hostAddress));
  // told to the host alone: what comes from elsewhere with such an address must not be translated before it is thrown away
  const here = forwards.filter(({ hostAddress }) => isLoopback(hostAddress));
  const chain = (name: string, some: readonly NetworkForward[]) =>
    some.length === 0 ? [] : addFilledChain(table, { name }, some.map(forwardRule));
  const base = (hook: 'prerouting' | 'output', targets: readonly string[]) =>
    targets.length === 0
      ? []
      : addFilledChain(
          table,
          { name: `nat_${hook}`, hook: { type: 'nat', hook, priority } },
          targets.map((target) => [jump(target)]),
        );
  const targets = [...(everywhere.length > 0 ? ['forwards'] : []), ...(here.length > 0 ? ['forwards_of_host'] : [])];
  return [
    ...chain('forwards', everywhere),
    ...chain('forwards_of_host', here),
    ...base('prerouting', everywhere.length > 0 ? ['forwards'] : []),
    ...base('output', targets),
  ];
}

function requirePossible(forward: NetworkForward, subnets: readonly string[]): void {
  const { protocol, hostAddress, hostPort, guest, guestPort } = forward;
  if (hostPort === 'auto') throw new QrunError('bug', `nobody chose a port for the forward to ${guest}:${guestPort}`);
  const fault = faultOfForwardRule(forward, subnets);
  if (fault === undefined) return;
  throw new QrunError(
    'usage',
    `forward ${renderHost(hostAddress)}:${hostPort}:${renderHost(guest)}:${guestPort}/${protocol}: ${fault}`,
  );
}

function forwardRule({ protocol, hostAddress, hostPort, guestAddress, guestPort }: NetworkForward): NftExpression[] {
  const family = guestAddress.includes(':') ? 6 : 4;
  const to = field(family === 4 ? 'ip' : 'ip6', 'daddr');
  const at = !isAny(hostAddress)
    ? [is(to, hostAddress)]
    : family === 4
      ? [is(meta('nfproto'), 'ipv4'), is(typeOfDestination, 'local')]
      : // whoever tries `localhost` is refused at once, and goes on to 127.0.0.1
        [isNot(to, '::1'), is(typeOfDestination, 'local')];
  return [...at, is(field(protocol, 'dport'), Number(hostPort)), dnat(family, guestAddress, guestPort)];
}

const isForwarded = has(ct('status'), 'dnat');
const typeOfSource: NftExpression = { fib: { result: 'type', flags: ['saddr'] } };

export function sourceRules(look: Translated): NftExpression[][] {
  return [...forwardedRules(look), ...(look.mode === 'nat' ? natRules(look) : [])];
}

/** Where the answer would take another way than by this host, the guest sees the host's address on the bridge in place of the sender's. */
function forwardedRules({ forwards, mode, bridge, own }: Translated): NftExpression[][] {
  if (forwards.length === 0) return [];
  const into = [is(meta('oifname'), bridge), isForwarded];
  // guests of an isolated network have no route to anybody else
  if (mode === 'isolated') return [[...into, masquerade()]];
  return [
    ...own.map(({ protocol, set }) => [...into, is(field(protocol, 'saddr'), `@${set}`), masquerade()]),
    [...into, is(typeOfSource, 'local'), masquerade()],
  ];
}

/** Guests to elsewhere; neither among themselves, nor to groups or to all on a link. */
function natRules({ own, nat, bridge }: Translated): NftExpression[][] {
  const out = nat?.dev === undefined ? isNot(meta('oifname'), [bridge, 'lo']) : is(meta('oifname'), nat.dev);
  return own
    .filter(({ family }) => family === 4 || nat?.ipv6 === true)
    .flatMap(({ family, protocol, set }) => {
      const nobody = family === 4 ? [prefixOf('224.0.0.0/4'), '255.255.255.255'] : [prefixOf('ff00::/8')];
      const match = [
        is(field(protocol, 'saddr'), `@${set}`),
        isNot(field(protocol, 'daddr'), `@${set}`),
        isNot(field(protocol, 'daddr'), nobody),
        out,
      ];
      const ported =
        nat?.ports === undefined ? [] : [[is(meta('l4proto'), ['tcp', 'udp']), ...match, masquerade(nat.ports)]];
      return [...ported, [...match, masquerade()]];
    });
}
