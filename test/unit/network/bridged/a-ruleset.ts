/** Commands for nft in the words of nft, a rule a line: for tests to read. */
import type { NftCommand } from '../../../../src/plan/nft-commands.ts';

type Json = string | number | null | readonly Json[] | { readonly [key: string]: Json };
type Fields = Readonly<Record<string, Json>>;

const word = (value: Json | undefined): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);

const added = (commands: readonly NftCommand[], what: string): Fields[] =>
  commands.flatMap((command) => {
    const object = (command['add'] as Record<string, Fields | undefined>)[what];
    return object === undefined ? [] : [object];
  });

/** By chain: `filter_forward` → its rules. */
export function chainsOf(commands: readonly NftCommand[], family = 'inet'): Record<string, string[]> {
  const own = (what: string): Fields[] => added(commands, what).filter((one) => one['family'] === family);
  return Object.fromEntries(
    own('chain').map(({ name }) => [
      word(name),
      own('rule').flatMap(({ chain, expr }) =>
        chain === name ? [(expr as readonly Fields[]).map(expression).join(' ')] : [],
      ),
    ]),
  );
}

/** `[type, hook, priority]` by chain. */
export const hooksOf = (commands: readonly NftCommand[]): Record<string, readonly (Json | undefined)[]> =>
  Object.fromEntries(
    added(commands, 'chain').flatMap(({ name, type, hook, prio }) =>
      hook === undefined ? [] : [[word(name), [type, hook, prio]]],
    ),
  );

/** Of sets: their elements. */
export const setsOf = (commands: readonly NftCommand[]): (Json | undefined)[] =>
  added(commands, 'set').map(({ elem }) => elem);

/** Of rules that have one: `[family, comment]`. */
export const commentsOf = (commands: readonly NftCommand[]): (Json | undefined)[][] =>
  added(commands, 'rule').flatMap(({ family, comment }) => (comment === undefined ? [] : [[family, comment]]));

function expression(one: Fields): string {
  const [key = ''] = Object.keys(one);
  const value = one[key] ?? null;
  if (value === null) return key;
  if (key === 'dnat') return `dnat to ${field(value, 'addr')} port ${field(value, 'port')}`;
  if (key !== 'match') return `${key} ${operand(value)}`;
  const { op, left, right } = value as Fields;
  return [left, ...(op === '!=' ? ['!='] : []), right].map((part) => operand(part ?? null)).join(' ');
}

const field = (value: Json, name: string): string => word((value as Fields)[name]);

function operand(value: Json): string {
  if (Array.isArray(value)) return (value as readonly Json[]).map(operand).join(',');
  if (typeof value !== 'object' || value === null) return word(value);
  const [key = ''] = Object.keys(value);
  const inner = (value as Fields)[key] ?? null;
  if (key === 'set') return `{ ${(inner as readonly Json[]).map(operand).join(' ')} }`;
  if (key === 'prefix') return `${field(inner, 'addr')}/${field(inner, 'len')}`;
  if (key === 'meta') return field(inner, 'key');
  if (key === 'ct') return `ct ${field(inner, 'key')}`;
  if (key === 'fib') return `fib ${operand((inner as Fields)['flags'] ?? null)} ${field(inner, 'result')}`;
  if (key !== 'payload') return word(inner);
  const places = 'base' in (inner as Fields) ? ['base', 'offset', 'len'] : ['protocol', 'field'];
  const words = places.map((name) => field(inner, name));
  return places.length === 3 ? `@${words.join(',')}` : words.join(' ');
}
