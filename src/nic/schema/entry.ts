/**
 * One entry of `nics:`, as written → a NIC, or what is wrong with it.
 */
import type { FieldContext } from '../../profile/fields.ts';
import { closestOf } from '../../profile/closest.ts';
import { faultsOfIssues } from '../../profile/issues.ts';
import type { Nic } from '../../profile/profile.ts';
import { kindOf, listed, truncated } from '../../profile/words.ts';
import type { DocumentPath, PathFault } from '../../profile/yaml-document.ts';
import { isNicKind, nicKindNames, nicSchemas } from './kinds.ts';

export interface NicEntry {
  /** Undefined when there are faults. */
  readonly nic?: Nic;
  readonly faults: readonly PathFault[];
  /** What the profile says, short forms spelled out. */
  readonly written: Readonly<Record<string, unknown>>;
  /** True: it stands in one word, so that its keys have no places of their own. */
  readonly short: boolean;
}

/** `net0`, `net1`, … by position. */
export const defaultNicId = (index: number): string => `net${index}`;

export function parseNicEntry(value: unknown, index: number, context: FieldContext): NicEntry {
  const path: DocumentPath = ['nics', index];
  if (typeof value === 'string') return parseShort(value, index, context);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refused(
      path,
      value === null || value === undefined
        ? 'nothing is written here: name a kind of NIC, such as user, or remove the entry'
        : `a map with "kind", or a short form such as user, is needed, not ${kindOf(value)}`,
    );
  }
  return parseMap(value as Record<string, unknown>, index, context);
}

function refused(path: DocumentPath, message: string): NicEntry {
  return { faults: [{ path, at: 'value', message }], written: {}, short: true };
}

function parseShort(word: string, index: number, context: FieldContext): NicEntry {
  const path: DocumentPath = ['nics', index];
  const colon = word.indexOf(':');
  const kind = colon < 0 ? word : word.slice(0, colon);
  if (!isNicKind(kind)) return refused(path, unknownKind(kind));
  const { main, short } = nicSchemas[kind];
  if (!short) return refused(path, `${kind} has no short form: write a map with "kind: ${kind}" and its keys`);
  if (colon >= 0 && main === undefined) return refused(path, `nothing may stand after ${kind} in its short form`);
  if (colon < 0 && main !== undefined) return refused(path, `the short form is ${kind}:${main.toUpperCase()}`);
  const written = { kind, ...(main !== undefined && { [main]: word.slice(colon + 1) }) };
  const entry = parseMap(written, index, context);
  return { ...entry, short: true, faults: entry.faults.map(({ message }) => ({ path, at: 'value', message })) };
}

function unknownKind(kind: string): string {
  const near = closestOf(kind, nicKindNames);
  const advice = near === undefined ? `: the kinds are ${listed(nicKindNames, 'and')}` : `, did you mean "${near}"?`;
  return `unknown kind of NIC ${truncated(kind)}${advice}`;
}

function parseMap(written: Readonly<Record<string, unknown>>, index: number, context: FieldContext): NicEntry {
  const path: DocumentPath = ['nics', index];
  const { kind } = written;
  if (!isNicKind(kind)) {
    const message =
      kind === undefined
        ? `the key "kind" is missing: ${listed(nicKindNames)}`
        : typeof kind === 'string'
          ? unknownKind(kind)
          : `a kind is a word, not ${kindOf(kind)}`;
    return { faults: [{ path: [...path, 'kind'], at: 'value', message }], written, short: false };
  }
  const { schema, rules } = nicSchemas[kind];
  const parsed = schema(context).safeParse(written, { jitless: true });
  const crossed = rules
    .flatMap((rule) => rule(written))
    .map(({ key, message }): PathFault => ({
      path: key === undefined ? path : [...path, key],
      at: 'value',
      message,
    }));
  const found = parsed.success ? [] : faultsOfIssues(parsed.error.issues, written, { base: path });
  const faults = [...found, ...crossed];
  if (!parsed.success || faults.length > 0) return { faults, written, short: false };
  return { nic: { ...parsed.data, id: parsed.data.id ?? defaultNicId(index) } as Nic, faults, written, short: false };
}
