/** What becomes of a packet under the host's rules, as far as interfaces, addresses, states of connections and ports tell. Pure. */
import { parseSpan, shareOf } from '../address-spans.ts';
import type { Firewall, FirewallChain, FirewallRule, RuleMatch } from './firewall.ts';

export interface Packet {
  readonly hook: 'forward' | 'input';
  /** The interface that it comes by, and goes by; '' is one that no rule names. */
  readonly in: string;
  readonly out: string;
  readonly state: 'new' | 'established';
  /** Its destination was translated. */
  readonly dnat?: boolean;
  readonly protocol?: 'udp' | 'tcp';
  readonly port?: number;
  readonly family?: 4 | 6;
  /** Where it may come from and go to: addresses, or networks. What is not known may be any. */
  readonly from?: readonly string[];
  readonly to?: readonly string[];
}

/** The chains that drop it. Chains of qrun's own are left out. @param families whose rules are asked about it */
export const chainsThatDrop = (
  { chains }: Pick<Firewall, 'chains'>,
  packet: Packet,
  families: readonly string[],
): FirewallChain[] =>
  chains.filter(
    (chain) =>
      chain[packet.hook] !== undefined &&
      families.includes(chain.family) &&
      !isOwn(chain, chains) &&
      (decide(chain, { chains, packet, depth: 0 }) ?? chain[packet.hook]) === 'drop',
  );

export interface FamiliesOfBridge {
  /** Whether rules for routed packets are asked about bridged frames too. */
  readonly ip: boolean;
  readonly ip6: boolean;
}

/** The chains that drop a frame from one port of the bridge to another. */
export const droppingChains = (
  firewall: Pick<Firewall, 'chains'>,
  bridge: string,
  { ip, ip6 }: FamiliesOfBridge,
): FirewallChain[] =>
  chainsThatDrop(firewall, { hook: 'forward', in: bridge, out: bridge, state: 'new' }, [
    'bridge',
    ...(ip ? ['ip', 'inet'] : []),
    ...(ip6 ? ['ip6', 'inet'] : []),
  ]);

/** A table of a network of qrun's: its name and the chain that says whose it is. What it drops, that network's definition says. */
const isOwn = ({ family, table, tool }: FirewallChain, chains: readonly FirewallChain[]): boolean =>
  tool === 'nft' &&
  table.startsWith('qrun_') &&
  chains.some((one) => one.family === family && one.table === table && one.name.startsWith('qrun_network'));

interface Walk {
  readonly chains: readonly FirewallChain[];
  readonly packet: Packet;
  readonly depth: number;
}

/** The kernel's own limit of jumps in jumps. */
const deepest = 16;

/** Undefined: none of its rules decides, or whether one does depends on what is not known here. */
function decide(chain: FirewallChain, walk: Walk): 'accept' | 'drop' | undefined {
  let left = false;
  for (const rule of chain.rules) {
    const meant = isMeant(rule, walk.packet);
    if (rule.verdict === undefined || meant === false) continue;
    const { do: word, target } = rule.verdict;
    // it may be out of this chain by now: what the chain drops after that may not be meant
    if (meant === undefined) left ||= word === 'return';
    else if (word === 'accept') return 'accept';
    else if (word === 'drop') return left ? undefined : 'drop';
    else if (word === 'return') return undefined;
    else {
      const found = decideNext(chain, target, walk);
      if (found === 'accept' || (found === 'drop' && !left)) return found;
      if (word === 'goto') return undefined;
    }
  }
  return undefined;
}

function decideNext(chain: FirewallChain, target: string | undefined, walk: Walk): 'accept' | 'drop' | undefined {
  const next = walk.chains.find(
    ({ family, table, name, tool }) =>
      family === chain.family && table === chain.table && tool === chain.tool && name === target,
  );
  return next === undefined || walk.depth >= deepest ? undefined : decide(next, { ...walk, depth: walk.depth + 1 });
}

/** Undefined: it depends. */
function isMeant({ matches, conditional }: FirewallRule, packet: Packet): boolean | undefined {
  const all = matches.map((match) => fits(match, packet));
  if (all.includes(false)) return false;
  return conditional || all.includes(undefined) ? undefined : true;
}

function fits(match: RuleMatch, packet: Packet): boolean | undefined {
  const { of, names, negated, protocol } = match;
  if (of === 'saddr' || of === 'daddr') return fitsAddress(match, packet);
  if (protocol !== undefined && packet.protocol !== undefined && protocol !== packet.protocol) return false;
  const value = valueOf(of, packet);
  if (value === undefined) return undefined;
  return names.some((name) => isNamed(name, value)) !== negated;
}

/** Undefined: it depends on which of its addresses it is. */
function fitsAddress({ of, names, negated, family }: RuleMatch, packet: Packet): boolean | undefined {
  if (packet.family !== undefined && family !== undefined && packet.family !== family) return false;
  const addresses = of === 'saddr' ? packet.from : packet.to;
  if (addresses === undefined) return undefined;
  const [own, asked] = [addresses, names].map((some) => some.map(parseSpan));
  if (own === undefined || !own.every((span) => span !== undefined)) return undefined;
  if (asked === undefined || !asked.every((span) => span !== undefined)) return undefined;
  const share = shareOf(own, asked);
  return share === 'some' ? undefined : (share === 'all') !== negated;
}

function valueOf(of: Exclude<RuleMatch['of'], 'saddr' | 'daddr'>, packet: Packet): string | undefined {
  switch (of) {
    case 'in':
      return packet.in;
    case 'out':
      return packet.out;
    case 'state':
      return packet.state;
    case 'status':
      return packet.dnat === true ? 'dnat' : '';
    case 'protocol':
      return packet.protocol;
    case 'port':
      return packet.port === undefined ? undefined : String(packet.port);
  }
}

function isNamed(name: string, value: string): boolean {
  if (name.endsWith('*')) return value.startsWith(name.slice(0, -1));
  const [from, to] = /^([0-9]+)-([0-9]+)$/.exec(name)?.slice(1).map(Number) ?? [];
  return from !== undefined && to !== undefined ? from <= Number(value) && Number(value) <= to : name === value;
}
