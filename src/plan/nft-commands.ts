/**
 * Rules for `nft -j`, as values: a name is a JSON string there, and nothing that it holds can end it or begin another command. Pure.
 * https://manpages.debian.org/bookworm/libnftables1/libnftables-json.5.en.html
 */
import { digestOf } from '../digest.ts';
import { QrunError } from '../errors.ts';

export type NftValue = string | number | boolean | null | readonly NftValue[] | { readonly [key: string]: NftValue };
export type NftExpression = Readonly<Record<string, NftValue>>;
export type NftCommand = Readonly<Record<string, NftValue>>;

export interface NftTable {
  readonly family: 'inet' | 'bridge';
  readonly name: string;
}

export interface NftHook {
  readonly type: 'filter' | 'nat';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  readonly priority: number;
}

/** How the chain is called that says whose the table is. */
export const ownerChain = 'qrun_network';

/**
 * The chain, with one rule whose comment names the owner. (nft 1.0.6 drops the comment of a table that is given as JSON.) Its own name says whose the
 * table is, too: a transaction that begins with `proveOwner` is done in this owner's table, or not at all.
 */
export const ownerChainOf = (owner: string): string => `${ownerChain}_${digestOf(owner)}`;

const add = (what: string, value: NftValue): NftCommand => ({ add: { [what]: value } });
const inTable = ({ family, name }: NftTable) => ({ family, table: name });

const addChain = (table: NftTable, name: string, hook?: NftHook): NftCommand =>
  add('chain', {
    ...inTable(table),
    name,
    ...(hook !== undefined && { type: hook.type, hook: hook.hook, prio: hook.priority, policy: 'accept' }),
  });

export const addRules = (table: NftTable, chain: string, rules: readonly (readonly NftExpression[])[]): NftCommand[] =>
  rules.map((expr) => add('rule', { ...inTable(table), chain, expr }));

/** A chain together with its rules. */
export const addFilledChain = (
  table: NftTable,
  { name, hook }: { readonly name: string; readonly hook?: NftHook },
  rules: readonly (readonly NftExpression[])[],
): NftCommand[] => [addChain(table, name, hook), ...addRules(table, name, rules)];

/** A set of networks that do not overlap. */
export const addPrefixSet = (
  table: NftTable,
  { name, type }: { readonly name: string; readonly type: 'ipv4_addr' | 'ipv6_addr' },
  cidrs: readonly string[],
): NftCommand =>
  add('set', { ...inTable(table), name, type, flags: ['interval'], elem: cidrs.map((cidr) => prefixOf(cidr)) });

const longestComment = 127;

export function addOwner(table: NftTable, owner: string): NftCommand[] {
  // what `nft list ruleset` prints of it can be read back by nft, which knows no escape
  if (!/^[A-Za-z0-9_.:/ -]+$/.test(owner) || owner.length > longestComment)
    throw new QrunError('bug', `${JSON.stringify(owner)} is no comment for nft`);
  const chain = ownerChainOf(owner);
  const marker = { ...inTable(table), chain, comment: owner, expr: [{ return: null }] };
  return [addChain(table, chain), add('rule', marker)];
}

/** Fails, and the whole transaction with it, where there is no such chain. */
export const proveOwner = (table: NftTable, chain: string): NftCommand => ({
  flush: { chain: { ...inTable(table), name: chain } },
});

/** Of several values each, in the order of `type`. */
export const addTupleSet = (
  table: NftTable,
  { name, type }: { readonly name: string; readonly type: readonly string[] },
  tuples: readonly (readonly (string | number)[])[],
): NftCommand => add('set', { ...inTable(table), name, type, elem: tuples.map((tuple) => ({ concat: tuple })) });

export const createTable = (table: NftTable): NftCommand => ({ create: { table: { ...table } } });
/** Gone afterwards, whether it was there or not. */
export const deleteTable = (table: NftTable): NftCommand[] => [
  add('table', { ...table }),
  { delete: { table: { ...table } } },
];

export const nftText = (commands: readonly NftCommand[]): string => `${JSON.stringify({ nftables: commands })}\n`;

export function prefixOf(cidr: string): NftExpression {
  const [addr = '', len = ''] = cidr.split('/');
  return { prefix: { addr, len: Number(len) } };
}

/** One, or any of several. `@name` is a set's. */
export type NftRight = string | number | NftExpression | readonly (string | number | NftExpression)[];

const rightOf = (right: NftRight): NftValue => (Array.isArray(right) ? { set: right } : (right as NftValue));

export const is = (left: NftExpression, right: NftRight): NftExpression => ({
  match: { op: '==', left, right: rightOf(right) },
});
export const isNot = (left: NftExpression, right: NftRight): NftExpression => ({
  match: { op: '!=', left, right: rightOf(right) },
});
/** Any of these bits is set. */
export const has = (left: NftExpression, ...flags: readonly string[]): NftExpression => ({
  match: { op: 'in', left, right: flags.length === 1 ? (flags[0] ?? '') : flags },
});

export const meta = (key: string): NftExpression => ({ meta: { key } });
export const ct = (key: string): NftExpression => ({ ct: { key } });
/** Of the first packet of a connection, or of the answer to it. */
export const ctOf = (key: string, dir: 'original' | 'reply'): NftExpression => ({ ct: { key, dir } });
export const concat = (...parts: readonly NftExpression[]): NftExpression => ({ concat: parts });
export const field = (protocol: string, name: string): NftExpression => ({ payload: { protocol, field: name } });
/** Bits behind the header of the transport. */
export const raw = (offset: number, len: number): NftExpression => ({ payload: { base: 'th', offset, len } });
export const typeOfDestination: NftExpression = { fib: { result: 'type', flags: ['daddr'] } };

export const accept: NftExpression = { accept: null };
export const drop: NftExpression = { drop: null };
/** The sender is told: what is not allowed fails at once, and does not hang. */
export const reject: NftExpression = { reject: { type: 'icmpx', expr: 'admin-prohibited' } };
/** Both ends know at once that it is over. */
export const resetTcp: NftExpression = { reject: { type: 'tcp reset' } };
export const jump = (target: string): NftExpression => ({ jump: { target } });
export const goto = (target: string): NftExpression => ({ goto: { target } });
export const masquerade = (ports?: { readonly from: number; readonly to: number }): NftExpression => ({
  masquerade: ports === undefined ? null : { port: { range: [ports.from, ports.to] } },
});
export const dnat = (family: 4 | 6, addr: string, port: number): NftExpression => ({
  dnat: { family: family === 4 ? 'ip' : 'ip6', addr, port },
});

/** nft reads a `*` at the end of an interface's name as any end, and a name after `@` as that of a set. */
export function faultOfRuleDevice(name: string): string | undefined {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,14}$/.test(name)) return undefined;
  return `${JSON.stringify(name)} cannot be named in rules: letters, digits, "_", ".", "+" and "-" are taken`;
}
