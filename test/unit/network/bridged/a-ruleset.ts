/** Commands for nft in the words of nft, a rule a line: for tests to read. */
import type { NftCommand } from '../../../../src/plan/nft-commands.ts';

type Json = string | number | null | readonly Json[] | { readonly [key: string]: Json };

/** By chain: `filter_forward` → its rules. */
export function chainsOf(commands: readonly NftCommand[], family = 'inet'): Record<string, string[]> {
  const chains: Record<string, string[]> = {};
  for (const { add } of commands) {
    const { chain, rule } = add as { chain?: Record<string, Json>; rule?: Record<string, Json> };
    if (chain !== undefined && chain['family'] === family) chains[String(chain['name'])] = [];
    if (rule !== undefined && rule['family'] === family)
      chains[String(rule['chain'])]?.push((rule['expr'] as Json[]).map(expression).join(' '));
  }
  return chains;
}

/** `[type, hook, priority]` by chain. */
export function hooksOf(commands: readonly NftCommand[]): Record<string, readonly Json[]> {
  const chains = commands.flatMap(({ add }) => {
    const { chain } = add as { chain?: Record<string, Json> };
    return chain?.['hook'] === undefined ? [] : [chain];
  });
  return Object.fromEntries(chains.map(({ name, type, hook, prio }) => [name, [type, hook, prio]]));
}

function expression(one: Json): string {
  const [[key, value] = ['', null]] = Object.entries(one as Record<string, Json>);
  if (key === 'match') {
    const { op, left, right } = value as Record<string, Json>;
    return [left, ...(op === '!=' ? ['!='] : []), right].map((part) => operand(part ?? null)).join(' ');
  }
  if (key === 'dnat') {
    const { addr, port } = value as Record<string, Json>;
    return `dnat to ${addr} port ${port}`;
  }
  return value === null ? key : [key, operand(value)].join(' ');
}

function operand(value: Json): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return (value as readonly Json[]).map(operand).join(',');
  const [[key, inner] = ['', null]] = Object.entries(value);
  if (key === 'set') return `{ ${(inner as Json[]).map(operand).join(' ')} }`;
  const fields = inner as Record<string, Json>;
  if (key === 'prefix') return `${fields['addr']}/${fields['len']}`;
  if (key === 'meta') return String(fields['key']);
  if (key === 'ct') return `ct ${fields['key']}`;
  if (key === 'fib') return `fib ${operand(fields['flags'] ?? null)} ${fields['result']}`;
  if (key === 'payload' && fields['base'] !== undefined)
    return `@${fields['base']},${fields['offset']},${fields['len']}`;
  if (key === 'payload') return `${fields['protocol']} ${fields['field']}`;
  return typeof inner === 'string' ? inner : JSON.stringify(inner);
}
