/**
 * What zod found → faults in words. Unions are unfolded: the alternative that has the shape of what was written is the one that was meant.
 */
import type * as z from 'zod/mini';
import { closestOf } from './closest.ts';
import { otherNamesOf } from './other-names.ts';
import { kindOf, listed, truncated } from './words.ts';
import type { DocumentPath, PathFault } from './yaml-document.ts';

type Issue = z.core.$ZodIssue;

/** Keys that are looked for at the top of the document, and what they belong to: `a NIC (below "nics")`. */
export interface Elsewhere {
  readonly keys: readonly string[];
  readonly of: string;
}

export function faultsOfIssues(
  issues: readonly Issue[],
  value: unknown,
  { base = [], elsewhere = ofNics }: { readonly base?: DocumentPath; readonly elsewhere?: Elsewhere } = {},
): PathFault[] {
  return issues.flatMap((issue) => {
    const steps = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    const path = [...base, ...steps];
    const found = valueAt(value, steps);
    if (issue.code === 'invalid_union') return faultsOfUnion(issue, found, path);
    if (issue.code === 'unrecognized_keys')
      return unknownKeys(issue.keys, issue.message.split(' '), { path, elsewhere });
    return [{ path, at: 'value' as const, message: messageOf(issue, found, path) }];
  });
}

function valueAt(value: unknown, path: DocumentPath): unknown {
  return path.reduce<unknown>((inner, step) => {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, step)) return undefined;
    return (inner as Record<string, unknown>)[step];
  }, value);
}

/** Of a profile, by who knows other tools. */
const ofNics: Elsewhere = {
  keys: ['forwards', 'mac', 'model', 'mtu', 'queues', 'subnet', 'vhost'],
  of: 'a NIC (below "nics")',
};

interface KeyPlace {
  readonly path: DocumentPath;
  readonly elsewhere: Elsewhere;
}

/** To look for what was meant takes time: not for each of the thousands of keys of a file that is no profile at all. */
const maxSuggestions = 50;

function unknownKeys(keys: readonly string[], known: readonly string[], place: KeyPlace): PathFault[] {
  return keys.map((key, index) => ({
    path: [...place.path, key],
    at: 'key',
    message: `unknown key ${truncated(key)}${index < maxSuggestions ? suggestion(key, known, place) : ''}`,
  }));
}

function suggestion(key: string, known: readonly string[], { path, elsewhere }: KeyPlace): string {
  const near = closestOf(key, known, otherNamesOf);
  if (near !== undefined) return `, did you mean "${near}"?`;
  const there = path.length === 0 ? closestOf(key, elsewhere.keys, otherNamesOf) : undefined;
  return there === undefined
    ? `: the keys here are ${listed(known, 'and')}`
    : `, did you mean "${there}" of ${elsewhere.of}?`;
}

function faultsOfUnion(issue: Issue & { code: 'invalid_union' }, value: unknown, path: DocumentPath): PathFault[] {
  const misfit = (branch: readonly Issue[]): Issue | undefined =>
    // a fraction where a whole number belongs is a number all the same
    branch.find((inner) => inner.code === 'invalid_type' && inner.path.length === 0 && inner.expected !== 'int');
  const meant = issue.errors.find((branch) => misfit(branch) === undefined);
  if (meant !== undefined) return faultsOfIssues(meant, value, { base: path });
  const expected = issue.errors.map((branch) => expectedOf(misfit(branch)));
  return [{ path, at: 'value', message: mismatch([...new Set(expected)], value, path) }];
}

const expectations: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  null: 'nothing',
};

function expectedOf(issue: Issue | undefined): string {
  return issue?.code === 'invalid_type' ? (expectations[issue.expected] ?? issue.expected) : 'something else';
}

function messageOf(issue: Issue, value: unknown, path: DocumentPath): string {
  if (issue.code === 'invalid_type') return mismatch([expectedOf(issue)], value, path);
  if (issue.code === 'invalid_value') return notAmong(issue.values.map(String), value, path);
  if (issue.code === 'too_small') {
    if (issue.origin === 'array')
      return issue.minimum === 1 ? 'the list is empty' : `at least ${issue.minimum} are needed`;
    return `${String(value)} is too small: at least ${issue.minimum}`;
  }
  if (issue.code === 'too_big') {
    return issue.origin === 'array'
      ? `at most ${issue.maximum} are possible`
      : `${String(value)} is too big: at most ${issue.maximum}`;
  }
  return issue.message;
}

function mismatch(expected: readonly string[], value: unknown, path: DocumentPath): string {
  if (value === undefined) return missing(path);
  if (value === null) return 'nothing is written here: give a value, or remove the key';
  return `${listed(expected)} is needed, not ${kindOf(value)}${advice(expected, value, path)}`;
}

const missing = (path: DocumentPath): string => `the key "${String(path.at(-1) ?? '')}" is missing`;

function advice(expected: readonly string[], value: unknown, path: DocumentPath): string {
  if (typeof value === 'string') {
    if (expected.includes('true or false') && /^(yes|on|y)$/i.test(value)) return ': write true';
    if (expected.includes('true or false') && /^(no|off|n)$/i.test(value)) return ': write false';
    return expected.some((word) => word.endsWith(' number')) && /^[0-9]+$/.test(value) ? ': remove the quotes' : '';
  }
  if (!expected.includes('a text')) return '';
  // what quoting would not mend
  if (path.at(-1) === 'size') return `: it needs a unit, such as ${String(value)}G`;
  if (path.at(-1) === 'mac') return ': six pairs of hex digits with colons';
  return typeof value === 'number' || typeof value === 'boolean' ? `: quote it, "${value}"` : '';
}

function notAmong(words: readonly string[], value: unknown, path: DocumentPath): string {
  if (value === undefined) return missing(path);
  if (value === null) return mismatch([], value, path);
  const near = typeof value === 'string' ? closestOf(value, words) : undefined;
  const shown = typeof value === 'string' ? truncated(value) : kindOf(value);
  const quoted = near === undefined ? '' : `, did you mean "${near}"?`;
  return `${shown} is not one of ${listed(words)}${quoted}`;
}
