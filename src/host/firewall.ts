/** Which rules of the host's drop frames between the ports of a bridge: `nft -j list ruleset`, and `iptables -S` of the older kind. */
import { readFileSync } from 'node:fs';
import type { System } from '../system/system.ts';

export interface Firewall {
  readonly chains: readonly FirewallChain[];
  /** Why not all is known. */
  readonly unknown?: string;
}

export interface FirewallChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** `iptables`: of the older kind, which nft does not list. */
  readonly tool: 'nft' | 'iptables';
  /** It begins at the hook `forward`; what it does with what no rule decides. */
  readonly forward?: 'accept' | 'drop';
  readonly rules: readonly FirewallRule[];
}

export interface FirewallRule {
  readonly matches: readonly InterfaceMatch[];
  /** It asks for more than the interfaces: it may or may not be meant. */
  readonly conditional: boolean;
  readonly verdict?: { readonly do: 'accept' | 'drop' | 'return' | 'jump' | 'goto'; readonly target?: string };
}

interface InterfaceMatch {
  /** With a `*` at their end for all that begin so. */
  readonly names: readonly string[];
  readonly negated: boolean;
}

/** Only root may. A host without rules costs one start of nft, if it is there. */
export async function readFirewall(system: System): Promise<Firewall> {
  if (system.uid !== 0) return { chains: [], unknown: 'only root can read the rules' };
  const legacy = await readLegacy(system);
  if (system.which('nft') === undefined)
    return { chains: legacy, ...(isLoaded('nf_tables') && { unknown: 'there is no nft to read the rules with' }) };
  const { status, stdout, stderr } = await system.run('nft', ['-j', '-t', 'list', 'ruleset'], { timeoutMs: 5000 });
  const chains = status === 0 ? parseRuleset(stdout) : undefined;
  if (chains !== undefined) return { chains: [...chains, ...legacy] };
  const [said = ''] = stderr.trim().split('\n');
  return { chains: legacy, unknown: `nft could not read the rules${said === '' ? '' : `: ${said}`}` };
}

/** Asked only where the kernel has such a table: the question itself would load the module. */
async function readLegacy(system: System): Promise<FirewallChain[]> {
  const found: FirewallChain[] = [];
  for (const [family, file, tools] of legacyTools) {
    if (!textOf(file).split('\n').includes('filter')) continue;
    const tool = tools.find((one) => system.which(one) !== undefined);
    if (tool === undefined) continue;
    const { status, stdout } = await system.run(tool, ['-S'], { timeoutMs: 5000 });
    if (status === 0) found.push(...parseIptables(stdout, family));
  }
  return found;
}

const legacyTools = [
  ['ip', '/proc/net/ip_tables_names', ['iptables-legacy', 'iptables']],
  ['ip6', '/proc/net/ip6_tables_names', ['ip6tables-legacy', 'ip6tables']],
] as const;

/** Of `nft -j list ruleset`. Undefined: it is none. */
export function parseRuleset(text: string): FirewallChain[] | undefined {
  const items = itemsOf(text);
  if (items === undefined) return undefined;
  const rules = items.flatMap(({ rule }) => (isRecord(rule) ? [rule] : []));
  return items.flatMap(({ chain }) => {
    if (!isRecord(chain)) return [];
    const { family, table, name, hook, policy } = chain;
    if (typeof family !== 'string' || typeof table !== 'string' || typeof name !== 'string') return [];
    const own = rules.filter((rule) => rule['family'] === family && rule['table'] === table && rule['chain'] === name);
    return [
      {
        family,
        table,
        name,
        tool: 'nft' as const,
        ...(hook === 'forward' && { forward: policy === 'drop' ? ('drop' as const) : ('accept' as const) }),
        rules: own.map(({ expr }) => parseRule(Array.isArray(expr) ? expr.filter(isRecord) : [], family)),
      },
    ];
  });
}

function itemsOf(text: string): Record<string, unknown>[] | undefined {
  try {
    const whole: unknown = JSON.parse(text);
    return isRecord(whole) && Array.isArray(whole['nftables']) ? whole['nftables'].filter(isRecord) : undefined;
  } catch {
    return undefined;
  }
}

const verdicts: Readonly<Record<string, NonNullable<FirewallRule['verdict']>['do']>> = {
  accept: 'accept',
  drop: 'drop',
  reject: 'drop',
  return: 'return',
  jump: 'jump',
  goto: 'goto',
};
const harmless = ['counter', 'log', 'comment'];

function parseRule(expressions: readonly Record<string, unknown>[], family: string): FirewallRule {
  const matches: InterfaceMatch[] = [];
  let conditional = false;
  let verdict: FirewallRule['verdict'];
  for (const [key, value] of expressions.flatMap((one) => Object.entries(one))) {
    const word = verdicts[key];
    if (word !== undefined) {
      const target = isRecord(value) ? value['target'] : undefined;
      verdict = { do: word, ...(typeof target === 'string' && { target }) };
    } else if (key === 'match') {
      const match = parseMatch(value, family);
      if (match === undefined) conditional = true;
      else matches.push(match);
    } else if (!harmless.includes(key)) conditional = true;
  }
  return { matches, conditional, ...(verdict !== undefined && { verdict }) };
}

/** In the family `bridge` a frame's interface is the port, and the bridge has names of its own. */
function parseMatch(value: unknown, family: string): InterfaceMatch | undefined {
  if (!isRecord(value) || !isRecord(value['left']) || !isRecord(value['left']['meta'])) return undefined;
  const key = value['left']['meta']['key'];
  const keys = family === 'bridge' ? ['ibrname', 'obrname'] : ['iifname', 'oifname', 'iif', 'oif'];
  const { op, right } = value;
  if (typeof key !== 'string' || !keys.includes(key) || (op !== '==' && op !== '!=' && op !== 'in')) return undefined;
  const set = isRecord(right) && Array.isArray(right['set']) ? right['set'] : [right];
  const names = set.filter((name) => typeof name === 'string' && !name.startsWith('@'));
  return names.length === set.length ? { names, negated: op === '!=' } : undefined;
}

/** Of `iptables -S`. */
export function parseIptables(text: string, family: 'ip' | 'ip6'): FirewallChain[] {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const rules = lines.flatMap(([verb, chain, ...words]) => (verb === '-A' ? [{ chain, words }] : []));
  return lines.flatMap(([verb, name, policy]) => {
    if ((verb !== '-P' && verb !== '-N') || name === undefined) return [];
    return [
      {
        family,
        table: 'filter',
        name,
        tool: 'iptables' as const,
        ...(verb === '-P' &&
          name === 'FORWARD' && { forward: policy === 'DROP' ? ('drop' as const) : ('accept' as const) }),
        rules: rules.flatMap(({ chain, words }) => (chain === name ? [parseWords(words)] : [])),
      },
    ];
  });
}

function parseWords(words: readonly string[]): FirewallRule {
  const matches: InterfaceMatch[] = [];
  let conditional = false;
  let verdict: FirewallRule['verdict'];
  for (let at = 0; at < words.length; at += 2) {
    // what follows the target is the target's own: --reject-with
    if (verdict !== undefined) break;
    const negated = words[at] === '!';
    if (negated) at += 1;
    const [option, value = ''] = words.slice(at, at + 2);
    if (option === '-i' || option === '-o') matches.push({ names: [value.replace(/\+$/, '*')], negated });
    else if (option === '-j') verdict = verdictOf(value);
    else if (option === '-g') verdict = { do: 'goto', target: value };
    else conditional = true;
  }
  return { matches, conditional, ...(verdict !== undefined && { verdict }) };
}

function verdictOf(target: string): NonNullable<FirewallRule['verdict']> {
  const word = verdicts[target.toLowerCase()];
  return word === undefined || word === 'jump' || word === 'goto' ? { do: 'jump', target } : { do: word };
}

export interface FamiliesOfBridge {
  /** Whether rules for routed packets are asked about bridged frames too. */
  readonly ip: boolean;
  readonly ip6: boolean;
}

/** The chains that drop a frame from one port of the bridge to another, as far as interfaces tell. */
export function droppingChains(
  { chains }: Pick<Firewall, 'chains'>,
  bridge: string,
  families: FamiliesOfBridge,
): FirewallChain[] {
  const asked = new Set(['bridge', ...(families.ip ? ['ip', 'inet'] : []), ...(families.ip6 ? ['ip6', 'inet'] : [])]);
  return chains.filter(
    (chain) =>
      chain.forward !== undefined &&
      asked.has(chain.family) &&
      !isOwn(chain, chains) &&
      (decide(chain, { chains, bridge, depth: 0 }) ?? chain.forward) === 'drop',
  );
}

/** A table of a network of qrun's: its name and the chain that says whose it is. What it drops, that network's definition says. */
const isOwn = ({ family, table, tool }: FirewallChain, chains: readonly FirewallChain[]): boolean =>
  tool === 'nft' &&
  table.startsWith('qrun_') &&
  chains.some((one) => one.family === family && one.table === table && one.name === 'qrun_network');

interface Walk {
  readonly chains: readonly FirewallChain[];
  readonly bridge: string;
  readonly depth: number;
}

/** The kernel's own limit of jumps in jumps. */
const deepest = 16;

/** Undefined: none of its rules decides. */
function decide(chain: FirewallChain, walk: Walk): 'accept' | 'drop' | undefined {
  for (const rule of chain.rules) {
    if (rule.verdict === undefined || rule.conditional || !rule.matches.every((match) => fits(match, walk.bridge)))
      continue;
    const { do: word, target } = rule.verdict;
    if (word === 'accept' || word === 'drop') return word;
    if (word === 'return') return undefined;
    const next = walk.chains.find(
      ({ family, table, name, tool }) =>
        family === chain.family && table === chain.table && tool === chain.tool && name === target,
    );
    const found =
      next === undefined || walk.depth >= deepest ? undefined : decide(next, { ...walk, depth: walk.depth + 1 });
    if (found !== undefined || word === 'goto') return found;
  }
  return undefined;
}

const fits = ({ names, negated }: InterfaceMatch, bridge: string): boolean =>
  names.some((name) => (name.endsWith('*') ? bridge.startsWith(name.slice(0, -1)) : name === bridge)) !== negated;

/** One that is built in is not listed, and is not asked for. */
const isLoaded = (name: string): boolean => new RegExp(`^${name} `, 'm').test(textOf('/proc/modules'));

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
