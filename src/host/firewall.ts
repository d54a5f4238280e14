/** The rules of the host's that filter what it takes and what it passes on: `nft -j list ruleset`, and `iptables -S` of the older kind. */
import { isRecord } from '../json-object.ts';
import { textOf } from '../system/glance.ts';
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
  /**
   * An interface's name, with a `*` at its end for all that begin so; a state of conntrack's; a mark of its (`dnat`); a protocol; a port, or `from-to`; an
   * address, `from-to`, or `ADDRESS/PREFIX`, of whom it comes from or goes to.
   */
  readonly of: 'in' | 'out' | 'state' | 'status' | 'protocol' | 'port' | 'saddr' | 'daddr';
  readonly names: readonly string[];
  readonly negated: boolean;
  /** Of addresses. */
  readonly family?: 4 | 6;
  /** Of a port: whose. */
  readonly protocol?: string;
}

/** Only root may. A host without rules costs one start of nft, if it is there. */
export async function readFirewall(system: System): Promise<Firewall> {
  if (system.uid !== 0) return { chains: [], unknown: 'only root can read the rules' };
  const legacy = await readLegacy(system);
  if (system.which('nft') === undefined)
    return { chains: legacy, ...(isLoaded('nf_tables') && { unknown: 'there is no nft to read the rules with' }) };
  const { status, stdout, stderr } = await system.run('nft', ['-j', '-t', 'list', 'ruleset'], { timeoutMs: 30_000 });
  const chains = status === 0 ? parseRuleset(stdout, await readSets(setsAsked(stdout), system)) : undefined;
  if (chains !== undefined) return { chains: [...chains, ...legacy] };
  const [said = ''] = stderr.trim().split('\n');
  return { chains: legacy, unknown: `nft could not read the rules${said === '' ? '' : `: ${said}`}` };
}

/** As many as a firewall of somebody's may have. */
const mostSets = 16;

/** What is in sets was left out of the list of all: they can be long, and few of them say who is dropped. Those of networks of qrun's own are not asked. */
async function readSets(asked: readonly SetName[], system: System): Promise<SetElements> {
  const found = new Map<string, readonly string[]>();
  for (const set of asked.filter(({ table }) => !table.startsWith('qrun_')).slice(0, mostSets)) {
    const args = ['-j', 'list', 'set', set.family, set.table, set.name];
    const { status, stdout } = await system.run('nft', args, { timeoutMs: 30_000 });
    const names = status === 0 ? parseSet(stdout) : undefined;
    if (names !== undefined) found.set(keyOf(set), names);
  }
  return found;
}

/** Asked only where the kernel has such a table: the question itself would load the module. */
async function readLegacy(system: System): Promise<FirewallChain[]> {
  const found: FirewallChain[] = [];
  for (const [family, file, tools] of legacyTools) {
    if (!textOf(file).split('\n').includes('filter')) continue;
    const tool = tools.find((one) => system.which(one) !== undefined);
    if (tool === undefined) continue;
    const { status, stdout } = await system.run(tool, ['-S'], { timeoutMs: 30_000 });
    if (status === 0) found.push(...parseIptables(stdout, family));
  }
  return found;
}

const legacyTools = [
  ['ip', '/proc/net/ip_tables_names', ['iptables-legacy', 'iptables']],
  ['ip6', '/proc/net/ip6_tables_names', ['ip6tables-legacy', 'ip6tables']],
] as const;

/** Names by set: `ip filter blocked`. */
export type SetElements = ReadonlyMap<string, readonly string[]>;

/** Of `nft -j list ruleset`, which may leave out what is in sets. Undefined: it is none. */
export function parseRuleset(text: string, sets: SetElements = new Map()): FirewallChain[] | undefined {
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
        rules: own.map(({ expr }) =>
          parseRule(Array.isArray(expr) ? expr.filter(isRecord) : [], { family, table, sets }),
        ),
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

interface RuleIn {
  readonly family: string;
  readonly table: string;
  readonly sets: SetElements;
}

function parseRule(expressions: readonly Record<string, unknown>[], at: RuleIn): FirewallRule {
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
      const match = key === 'match' ? parseMatch(value, at) : parseExtension(value, all);
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

function parseMatch(value: unknown, { family, table, sets }: RuleIn): RuleMatch | undefined {
  if (!isRecord(value) || !isRecord(value['left'])) return undefined;
  const of = parseLeft(value['left'], family);
  const { op, right } = value;
  if (of === undefined || (op !== '==' && op !== '!=' && op !== 'in')) return undefined;
  const named = nameOfSet(right);
  const names = named === undefined ? namesOf(right) : sets.get([family, table, named].join(' '));
  if (names === undefined) return undefined;
  return { of, names, negated: op === '!=', ...moreOf(of, value['left']) };
}

const nameOfSet = (right: unknown): string | undefined =>
  typeof right === 'string' && right.startsWith('@') ? right.slice(1) : undefined;

/** Undefined: one of them is of another kind. */
function namesOf(right: unknown): string[] | undefined {
  const all = isRecord(right) && Array.isArray(right['set']) ? right['set'] : Array.isArray(right) ? right : [right];
  const names = all.flatMap((name: unknown) => nameOf(name) ?? []);
  return names.length < all.length ? undefined : names;
}

/** In the family `bridge` a frame's interface is the port, and the bridge has names of its own. */
function parseLeft(
  { meta, ct, payload }: Readonly<Record<string, unknown>>,
  family: string,
): RuleMatch['of'] | undefined {
  if (isRecord(ct)) return ct['key'] === 'state' || ct['key'] === 'status' ? ct['key'] : undefined;
  if (isRecord(payload)) return payload['field'] === 'dport' ? 'port' : ofAddress(payload);
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

const families: Readonly<Record<string, 4 | 6>> = { ip: 4, ip6: 6 };

function ofAddress({ protocol, field }: Readonly<Record<string, unknown>>): 'saddr' | 'daddr' | undefined {
  if (families[String(protocol)] === undefined) return undefined;
  return field === 'saddr' || field === 'daddr' ? field : undefined;
}

/** A port's protocol, of which `th` is any, or the family of addresses. */
function moreOf(
  of: RuleMatch['of'],
  { payload }: Readonly<Record<string, unknown>>,
): Pick<RuleMatch, 'protocol' | 'family'> {
  const protocol = isRecord(payload) ? String(payload['protocol']) : 'th';
  if (of === 'port') return protocol === 'th' ? {} : { protocol };
  const family = families[protocol];
  return family === undefined ? {} : { family };
}

function nameOf(name: unknown): string | undefined {
  if (typeof name === 'number') return String(name);
  if (typeof name === 'string') return name.startsWith('@') ? undefined : name;
  const { range, prefix, elem } = isRecord(name) ? name : {};
  // with a time that it is there, or a counter
  if (isRecord(elem)) return nameOf(elem['val']);
  if (isRecord(prefix)) return `${String(prefix['addr'])}/${String(prefix['len'])}`;
  return Array.isArray(range) ? range.join('-') : undefined;
}

interface SetName {
  readonly family: string;
  readonly table: string;
  readonly name: string;
}

/** Sets that rules ask for addresses. */
export function setsAsked(text: string): SetName[] {
  const found = (itemsOf(text) ?? []).flatMap(({ rule }): SetName[] => {
    if (!isRecord(rule) || !Array.isArray(rule['expr'])) return [];
    const [family, table] = [String(rule['family']), String(rule['table'])];
    return rule['expr'].flatMap((one: unknown): SetName[] => {
      const match = isRecord(one) ? one['match'] : undefined;
      const left = isRecord(match) && isRecord(match['left']) ? match['left'] : {};
      const name = isRecord(match) ? nameOfSet(match['right']) : undefined;
      const isOfAddress = isRecord(left['payload']) && ofAddress(left['payload']) !== undefined;
      return name === undefined || !isOfAddress ? [] : [{ family, table, name }];
    });
  });
  return [...new Map(found.map((one) => [keyOf(one), one])).values()];
}

const keyOf = ({ family, table, name }: SetName): string => [family, table, name].join(' ');

/** Of `nft -j list set`. Undefined: it is none, or not of single names. */
export function parseSet(text: string): string[] | undefined {
  const set = itemsOf(text)?.find((item) => isRecord(item['set']))?.['set'];
  return isRecord(set) ? namesOf({ set: Array.isArray(set['elem']) ? set['elem'] : [] }) : undefined;
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
        rules: rules.flatMap(({ chain, words }) => (chain === name ? [parseWords(words, family)] : [])),
      },
    ];
  });
}

function parseWords(words: readonly string[], family: 'ip' | 'ip6'): FirewallRule {
  const matches: RuleMatch[] = [];
  let conditional = false;
  let verdict: FirewallRule['verdict'];
  for (let at = 0; at < words.length; at += 2) {
    // what follows the target is the target's own: --reject-with
    if (verdict !== undefined) break;
    const negated = words[at] === '!';
    if (negated) at += 1;
    const [option = '', value = ''] = words.slice(at, at + 2);
    const match = parseOption(option, value, family);
    if (match !== undefined) matches.push({ ...match, negated });
    else if (option === '-j') verdict = verdictOf(value);
    else if (option === '-g') verdict = { do: 'goto', target: value };
    else if (option !== '-m' || !named.includes(value)) conditional = true;
  }
  return { matches, conditional, ...(verdict !== undefined && { verdict }) };
}

/** Extensions that ask nothing by their name alone. */
const named: readonly string[] = ['conntrack', 'state', 'tcp', 'udp'];

function parseOption(option: string, value: string, family: 'ip' | 'ip6'): Omit<RuleMatch, 'negated'> | undefined {
  if (option === '-i' || option === '-o')
    return { of: option === '-i' ? 'in' : 'out', names: [value.replace(/\+$/, '*')] };
  if (option === '-s' || option === '-d')
    return { of: option === '-s' ? 'saddr' : 'daddr', names: [value], family: family === 'ip' ? 4 : 6 };
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
