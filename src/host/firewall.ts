/** The rules of the host's that filter what it takes and what it passes on: `nft -j list ruleset`, and `iptables -S` of the older kind. */
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
  /** The same of the hook `input`. */
  readonly input?: 'accept' | 'drop';
  readonly rules: readonly FirewallRule[];
}

export interface FirewallRule {
  readonly matches: readonly RuleMatch[];
  /** It asks for more than that: it may or may not be meant. */
  readonly conditional: boolean;
  readonly verdict?: { readonly do: 'accept' | 'drop' | 'return' | 'jump' | 'goto'; readonly target?: string };
}

export interface RuleMatch {
  /** An interface's name, with a `*` at its end for all that begin so; a state of conntrack's; a mark of its (`dnat`); a protocol; a port, or `from-to`. */
  readonly of: 'in' | 'out' | 'state' | 'status' | 'protocol' | 'port';
  readonly names: readonly string[];
  readonly negated: boolean;
  /** Of a port: whose. */
  readonly protocol?: string;
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
        ...hookOf(hook, policy),
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

function hookOf(hook: unknown, policy: unknown): Pick<FirewallChain, 'forward' | 'input'> {
  const does = policy === 'drop' ? ('drop' as const) : ('accept' as const);
  return hook === 'forward' ? { forward: does } : hook === 'input' ? { input: does } : {};
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
  const matches: RuleMatch[] = [];
  let conditional = false;
  let verdict: FirewallRule['verdict'];
  const all = expressions.flatMap((one) => Object.entries(one));
  for (const [key, value] of all) {
    const word = verdicts[key];
    if (word !== undefined) {
      const target = isRecord(value) ? value['target'] : undefined;
      verdict = { do: word, ...(typeof target === 'string' && { target }) };
    } else if (isRejection(key, value)) verdict = { do: 'drop' };
    else if (key === 'match' || key === 'xt') {
      const match = key === 'match' ? parseMatch(value, family) : parseExtension(value, all);
      if (match === undefined) conditional = true;
      else matches.push(match);
    } else if (!harmless.includes(key)) conditional = true;
  }
  return { matches, conditional, ...(verdict !== undefined && { verdict }) };
}

/** Of iptables over nftables: nft tells its name, and not what it asks for. */
const isRejection = (key: string, value: unknown): boolean =>
  key === 'xt' && isRecord(value) && value['type'] === 'target' && value['name'] === 'REJECT';

/** The one question to conntrack whose answer lets pass is, as good as always, whether the packet is one of a connection's. */
function parseExtension(value: unknown, all: readonly (readonly [string, unknown])[]): RuleMatch | undefined {
  if (!isRecord(value) || (value['name'] !== 'conntrack' && value['name'] !== 'state')) return undefined;
  const accepts = all.some(([key]) => key === 'accept');
  return { of: 'state', names: accepts ? ['established', 'related'] : ['invalid'], negated: false };
}

function parseMatch(value: unknown, family: string): RuleMatch | undefined {
  if (!isRecord(value) || !isRecord(value['left'])) return undefined;
  const of = parseLeft(value['left'], family);
  const { op, right } = value;
  if (of === undefined || (op !== '==' && op !== '!=' && op !== 'in')) return undefined;
  const all = isRecord(right) && Array.isArray(right['set']) ? right['set'] : Array.isArray(right) ? right : [right];
  const names = all.flatMap((name: unknown) => nameOf(name) ?? []);
  if (names.length < all.length) return undefined;
  return { of, names, negated: op === '!=', ...(of === 'port' && protocolOf(value['left'])) };
}

/** In the family `bridge` a frame's interface is the port, and the bridge has names of its own. */
function parseLeft(
  { meta, ct, payload }: Readonly<Record<string, unknown>>,
  family: string,
): RuleMatch['of'] | undefined {
  if (isRecord(ct)) return ct['key'] === 'state' || ct['key'] === 'status' ? ct['key'] : undefined;
  if (isRecord(payload)) return payload['field'] === 'dport' ? 'port' : undefined;
  if (!isRecord(meta)) return undefined;
  const [into, outOf] =
    family === 'bridge'
      ? [['ibrname'], ['obrname']]
      : [
          ['iifname', 'iif'],
          ['oifname', 'oif'],
        ];
  const key = String(meta['key']);
  return into.includes(key) ? 'in' : outOf.includes(key) ? 'out' : key === 'l4proto' ? 'protocol' : undefined;
}

/** `th` is that of any. */
function protocolOf({ payload }: Readonly<Record<string, unknown>>): { readonly protocol?: string } {
  const protocol = isRecord(payload) ? payload['protocol'] : undefined;
  return typeof protocol === 'string' && protocol !== 'th' ? { protocol } : {};
}

function nameOf(name: unknown): string | undefined {
  if (typeof name === 'number') return String(name);
  if (typeof name === 'string') return name.startsWith('@') ? undefined : name;
  const range = isRecord(name) ? name['range'] : undefined;
  return Array.isArray(range) ? range.join('-') : undefined;
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
        ...(verb === '-P' && hookOf(name.toLowerCase(), policy?.toLowerCase())),
        rules: rules.flatMap(({ chain, words }) => (chain === name ? [parseWords(words)] : [])),
      },
    ];
  });
}

function parseWords(words: readonly string[]): FirewallRule {
  const matches: RuleMatch[] = [];
  let conditional = false;
  let verdict: FirewallRule['verdict'];
  for (let at = 0; at < words.length; at += 2) {
    // what follows the target is the target's own: --reject-with
    if (verdict !== undefined) break;
    const negated = words[at] === '!';
    if (negated) at += 1;
    const [option = '', value = ''] = words.slice(at, at + 2);
    const match = parseOption(option, value);
    if (match !== undefined) matches.push({ ...match, negated });
    else if (option === '-j') verdict = verdictOf(value);
    else if (option === '-g') verdict = { do: 'goto', target: value };
    else if (option !== '-m' || !named.includes(value)) conditional = true;
  }
  return { matches, conditional, ...(verdict !== undefined && { verdict }) };
}

/** Extensions that ask nothing by their name alone. */
const named: readonly string[] = ['conntrack', 'state', 'tcp', 'udp'];

function parseOption(option: string, value: string): Omit<RuleMatch, 'negated'> | undefined {
  if (option === '-i' || option === '-o')
    return { of: option === '-i' ? 'in' : 'out', names: [value.replace(/\+$/, '*')] };
  if (option === '-p') return { of: 'protocol', names: [value] };
  if (option === '--dport') return { of: 'port', names: [value.replace(':', '-')] };
  if (option !== '--ctstate' && option !== '--state') return undefined;
  const words = value.toLowerCase().split(',');
  return { of: words.includes('dnat') ? 'status' : 'state', names: words };
}

function verdictOf(target: string): NonNullable<FirewallRule['verdict']> {
  const word = verdicts[target.toLowerCase()];
  return word === undefined || word === 'jump' || word === 'goto' ? { do: 'jump', target } : { do: word };
}

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
