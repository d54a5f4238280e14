/**
 * The rules of a network of the host's with a bridge of its own: one table of family inet, and one of family bridge for the ports of guests. Pure.
 *
 * An `accept` ends the walk of its own chain alone, and a drop of anybody's is the end of a packet: these rules can forbid, and cannot undo what another
 * firewall forbids. The chains stand beside those of others, at numbers of their own:
 *
 *     raw -300         nothing goes to or from 127.0.0.0/8 by way of the bridge
 *     dstnat -100 + 5  forwards: after Docker's, libvirt's and the admin's own (-100), before firewalld's (-90)
 *     filter 0 - 5     input and forward: before Docker, ufw and libvirt (0) and firewalld (10), so that guests are told and do not wait
 *     srcnat 100 + 5   after the same; whoever translates a packet first has done so
 *     bridge -300      dstnat of that family: before br_netfilter (0)
 */
import { QrunError } from '../../errors.ts';
import {
  accept,
  addFilledChain,
  addOwner,
  addPrefixSet,
  ct,
  drop,
  faultOfRuleDevice,
  field,
  has,
  is,
  isNot,
  jump,
  meta,
  prefixOf,
  reject,
  type NftCommand,
  type NftExpression,
  type NftTable,
} from '../../plan/nft-commands.ts';
import { parseSubnet, type Subnet } from '../../subnet.ts';
import type { NetworkForward } from '../network-plan.ts';
import { destinationCommands, isLoopback, sourceRules } from './forward-rules.ts';
import type { BridgedMode } from './mode.ts';
import { portCommands, type GuestPort } from './port-rules.ts';
import { withdrawnCommands } from './withdrawn-rules.ts';

export interface RulesetInput {
  /** `[a-z0-9_]`, of all tables. */
  readonly table: string;
  /** Says whose they are, in a comment. Default: made from the name. */
  readonly owner?: string;
  readonly bridge: string;
  /** The bridge's own; with it no guest of a guarded port passes for the gateway's link-local address. */
  readonly bridgeMac?: string;
  readonly mode: BridgedMode;
  /** IPv4 and IPv6. */
  readonly subnets: readonly string[];
  /** The bridge's own, without prefixes. */
  readonly addresses: readonly string[];
  /**
   * Of mode nat. Without `ipv6` guests' IPv6 is forwarded as it is, answers alone come in, and what nobody outside could answer (a unique local address
   * to a global one) is rejected.
   */
  readonly nat?: {
    readonly ports?: { readonly from: number; readonly to: number };
    readonly dev?: string;
    readonly ipv6?: boolean;
  };
  /** Of mode route: the interface that packets come and go by. */
  readonly dev?: string;
  readonly forwards: readonly NetworkForward[];
  /** Those that were taken away while it is up: what goes on by them is ended. */
  readonly withdrawn?: readonly NetworkForward[];
  /** What guests of an isolated network may ask of this host beside its own addresses on the bridge. */
  readonly asks: { readonly dhcp: boolean; readonly dns: boolean; readonly tftp: boolean };
  /** Guests reach one another in no way: not by way of this host either. */
  readonly isolatedPorts?: boolean;
  /** Ports of guests: from none of them come answers of DHCP or router advertisements; one with a MAC sends from its own addresses alone. */
  readonly ports?: readonly GuestPort[];
}

export interface Ruleset {
  readonly owner: string;
  readonly tables: readonly NftTable[];
  /** What is in the tables; to make and to replace them is the resource's. */
  readonly commands: readonly NftCommand[];
}

export const rulePriorities = { raw: -300, dstnat: -95, filter: -5, srcnat: 105, bridge: -300 } as const;

/** @throws QrunError `usage`: a forward that no rule can do; `bug` */
export function buildRuleset(input: RulesetInput): Ruleset {
  requireNames(input);
  const owner = input.owner ?? `qrun:${input.table}`;
  const inet: NftTable = { family: 'inet', name: input.table };
  const bridge: NftTable = { family: 'bridge', name: input.table };
  const parts = [
    { table: inet, commands: inetCommands(inet, input) },
    { table: bridge, commands: portCommands(bridge, input, rulePriorities.bridge) },
  ];
  // both or neither, though one may be empty: so that other rules of the network, with other guests on it, replace all of these
  const some = parts.some(({ commands }) => commands.length > 0) ? parts : [];
  return {
    owner,
    tables: some.map(({ table }) => table),
    commands: some.flatMap(({ table, commands }) => [...addOwner(table, owner), ...commands]),
  };
}

function requireNames({ table, bridge, nat, dev, ports }: RulesetInput): void {
  if (!/^[a-z][a-z0-9_]{0,127}$/.test(table))
    throw new QrunError('bug', `${JSON.stringify(table)} is no name for a table`);
  for (const name of [bridge, nat?.dev, dev, ...(ports ?? []).map(({ device }) => device)]) {
    const fault = name === undefined ? undefined : faultOfRuleDevice(name);
    if (fault !== undefined) throw new QrunError('usage', `interface ${fault}`);
  }
}

type Rules = readonly (readonly NftExpression[])[];

/** A family with the networks that are the guests' own. */
interface Own {
  readonly family: 4 | 6;
  readonly protocol: 'ip' | 'ip6';
  readonly subnets: readonly Subnet[];
  readonly set: string;
}

interface Look extends RulesetInput {
  readonly own: readonly Own[];
  readonly from: NftExpression;
  readonly to: NftExpression;
}

function inetCommands(table: NftTable, input: RulesetInput): NftCommand[] {
  const { withdrawn = [] } = input;
  const ended = withdrawnCommands(table, withdrawn, rulePriorities.filter);
  if (input.mode === 'open' && input.forwards.length === 0) return ended;
  const own = ownOf(input.subnets);
  const from = is(meta('iifname'), input.bridge);
  const to = is(meta('oifname'), input.bridge);
  const look: Look = { ...input, own, from, to };
  const { raw, filter } = rulePriorities;
  const chain = (name: string, rules: Rules) => (rules.length === 0 ? [] : addFilledChain(table, { name }, rules));
  return [
    ...own.map(({ set, subnets, family }) =>
      addPrefixSet(
        table,
        { name: set, type: family === 4 ? 'ipv4_addr' : 'ipv6_addr' },
        subnets.map(({ cidr }) => cidr),
      ),
    ),
    // route_localnet lets the host reach guests from its loopback: that way is for nobody else
    ...addFilledChain(table, { name: 'raw_prerouting', hook: { type: 'filter', hook: 'prerouting', priority: raw } }, [
      [from, is(field('ip', 'saddr'), loopback4), drop],
      [from, is(field('ip', 'daddr'), loopback4), drop],
    ]),
    ...(input.mode === 'open'
      ? []
      : [
          ...chain('from_guests', fromGuests(look)),
          ...chain('to_guests', toGuests(look)),
          ...addFilledChain(
            table,
            { name: 'filter_forward', hook: { type: 'filter', hook: 'forward', priority: filter } },
            [...amongGuests(look), [from, jump('from_guests')], [to, jump('to_guests')]],
          ),
          ...chain('ask_host', askHost(look)),
          ...addFilledChain(
            table,
            { name: 'filter_input', hook: { type: 'filter', hook: 'input', priority: filter } },
            [[from, jump('ask_host')]],
          ),
        ]),
    ...destinationCommands(table, look, rulePriorities.dstnat),
    ...postrouting(table, look),
    ...ended,
  ];
}

function postrouting(table: NftTable, look: Look): NftCommand[] {
  const rules = sourceRules(look);
  const hook = { type: 'nat', hook: 'postrouting', priority: rulePriorities.srcnat } as const;
  return rules.length === 0 ? [] : addFilledChain(table, { name: 'nat_postrouting', hook }, rules);
}

const loopback4 = prefixOf('127.0.0.0/8');
const uniqueLocal = prefixOf('fc00::/7');

/** Those of a family, without what lies in another of them: nft takes no intervals that overlap. */
function ownOf(cidrs: readonly string[]): Own[] {
  const subnets = cidrs.map((cidr) => parseSubnet(cidr) ?? unread(cidr));
  return ([4, 6] as const).flatMap((family) => {
    const all = subnets.filter((one) => one.family === family).toSorted((a, b) => a.prefix - b.prefix);
    const outer = all.filter((one, at) => !all.slice(0, at).some(({ contains }) => contains(one.at(0))));
    const protocol = family === 4 ? ('ip' as const) : ('ip6' as const);
    return outer.length === 0 ? [] : [{ family, protocol, subnets: outer, set: `own${family}` }];
  });
}

function unread(cidr: string): never {
  throw new QrunError('bug', `${JSON.stringify(cidr)} is no network`);
}

const answers = has(ct('state'), 'established', 'related');
const isReply = is(ct('direction'), 'reply');
const isForwarded = has(ct('status'), 'dnat');

/** Those that come from elsewhere than this host. */
const hasOutside = ({ forwards }: Look): boolean => forwards.some(({ hostAddress }) => !isLoopback(hostAddress));

/** Bridged frames are seen here too where br_netfilter is loaded. */
function amongGuests({ from, to, isolatedPorts, forwards }: Look): Rules {
  if (isolatedPorts !== true) return [[from, to, accept]];
  return [...(forwards.length > 0 ? [[from, to, isForwarded, accept]] : []), [from, to, reject]];
}

function fromGuests(look: Look): Rules {
  const { mode, own, nat } = look;
  // the other half of a forward goes back where it came from, whatever `dev` says
  const back: Rules = hasOutside(look) || mode !== 'isolated' ? [[isReply, answers, accept]] : [];
  if (mode === 'isolated') return [...back, [reject]];
  const dev = mode === 'nat' ? nat?.dev : look.dev;
  return [
    ...back,
    ...(dev === undefined ? [] : [[isNot(meta('oifname'), dev), reject]]),
    ...(mode === 'nat' && nat?.ipv6 !== true && own.some(({ family }) => family === 6)
      ? [[is(field('ip6', 'saddr'), uniqueLocal), isNot(field('ip6', 'daddr'), uniqueLocal), reject]]
      : []),
    ...own.map(({ protocol, set }) => [is(field(protocol, 'saddr'), `@${set}`), accept]),
    [reject],
  ];
}

function toGuests(look: Look): Rules {
  const { mode, own, dev } = look;
  const forwarded: Rules = hasOutside(look) ? [[isForwarded, accept]] : [];
  if (mode === 'isolated') return [...forwarded, [reject]];
  const routed: Rules = own.map(({ protocol, set }) => [
    ...(dev === undefined ? [] : [is(meta('iifname'), dev)]),
    // nobody elsewhere has their addresses
    isNot(field(protocol, 'saddr'), `@${set}`),
    is(field(protocol, 'daddr'), `@${set}`),
    accept,
  ]);
  return [[answers, accept], ...forwarded, ...(mode === 'route' ? routed : []), [reject]];
}

/** What guests may ask of this host. Of an isolated network: what concerns the bridge alone. */
function askHost({ mode, addresses, own, asks }: Look): Rules {
  const astray: Rules = [
    [is(field('icmpv6', 'type'), ['nd-router-advert', 'nd-redirect']), drop],
    [is(field('icmp', 'type'), 'redirect'), drop],
  ];
  if (mode !== 'isolated') return astray;
  const dhcp = [is(field('udp', 'dport'), 67), accept];
  const four = own.find(({ family }) => family === 4);
  const six = own.find(({ family }) => family === 6);
  const of = (colon: boolean) => addresses.filter((address) => address.includes(':') === colon);
  const broadcasts = ['255.255.255.255', ...(four?.subnets ?? []).map(({ at, first, last }) => at(last - first))];
  return [
    ...astray,
    ...(asks.dhcp ? [[is(field('ip', 'saddr'), '0.0.0.0'), is(field('ip', 'daddr'), '255.255.255.255'), ...dhcp]] : []),
    // what is answered elsewhere would leave the network
    ...(four === undefined ? [] : [[is(meta('nfproto'), 'ipv4'), isNot(field('ip', 'saddr'), `@${four.set}`), drop]]),
    [
      isNot(field('ip6', 'saddr'), [
        prefixOf('fe80::/10'),
        '::',
        ...(six?.subnets ?? []).map(({ cidr }) => prefixOf(cidr)),
      ]),
      drop,
    ],
    [answers, accept],
    ...(of(false).length === 0 ? [] : [[is(field('ip', 'daddr'), of(false)), accept]]),
    [is(field('ip', 'daddr'), [prefixOf('224.0.0.0/4'), ...broadcasts]), accept],
    [is(field('ip6', 'daddr'), [prefixOf('fe80::/10'), prefixOf('ff00::/8'), ...of(true)]), accept],
    [reject],
  ];
}
