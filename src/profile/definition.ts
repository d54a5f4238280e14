/**
 * A file that a person wrote → a value, or all of its faults at once, each with its place. What profiles and networks have in common.
 */
import path from 'node:path';
import { QrunError, type Fault } from '../errors.ts';
import { kindOf, renderPath } from './words.ts';
import { parseYaml, type DocumentPath, type PathFault, type PlacedFault, type YamlDocument } from './yaml-document.ts';

export interface DefinitionKind<T> {
  /** Absolute; for messages. */
  readonly file: string;
  /** What such a file is, for messages: `profile`. */
  readonly what: string;
  readonly code: 'invalid-profile' | 'invalid-network' | 'invalid-lab';
  /** Reads the top map; without faults there is a value. */
  readonly read: (written: WrittenMap, lineOf: LineOf) => Reading<T>;
}

export type WrittenMap = Readonly<Record<string, unknown>>;
/** The line of a value, for faults that name another one. */
export type LineOf = (path: DocumentPath) => number;

export interface Reading<T> {
  readonly value?: T;
  readonly faults: readonly PathFault[];
}

/** More than anybody mends before looking again. */
const maxFaults = 100;

/** @throws QrunError of the kind's code, with all faults of the text */
export function parseDefinition<T>(text: string, kind: DefinitionKind<T>): T {
  const document = parseYaml(text, kind.what);
  const { value, faults } = readDocument(document, kind);
  const placed = [...document.faults, ...faults.map(document.place)];
  if (placed.length > 0) throw invalid(placed, { text, document, kind });
  if (value === undefined) throw new QrunError('bug', `${kind.file} has neither faults nor a value`);
  return value;
}

function readDocument<T>(document: YamlDocument, { what, read }: DefinitionKind<T>): Reading<T> {
  const { value, spoiled } = document;
  if (value === undefined) return { faults: [] };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      faults: [{ path: [], at: 'value', message: `a ${what} is a map of keys and values, not ${kindOf(value)}` }],
    };
  }
  const lineOf = (at: DocumentPath): number =>
    document.lineOf(document.place({ path: at, at: 'value', message: '' }).start).line;
  const reading = read(value as WrittenMap, lineOf);
  const faults = reading.faults.filter(({ path: at }) => !spoiled.some((bad) => leadsTo(bad, at)));
  return { ...reading, faults };
}

const leadsTo = (a: DocumentPath, b: DocumentPath): boolean =>
  a.length <= b.length && a.every((step, index) => step === b[index]);

interface InvalidOptions {
  readonly text: string;
  readonly document: YamlDocument;
  readonly kind: { readonly file: string; readonly what: string; readonly code: DefinitionKind<unknown>['code'] };
}

function invalid(placed: readonly PlacedFault[], options: InvalidOptions): QrunError {
  const { file, what, code } = options.kind;
  const ordered = placed.toSorted((a, b) => a.start - b.start);
  const faults = ordered.slice(0, maxFaults).map((fault) => faultOf(fault, options));
  const count = placed.length === 1 ? 'a fault' : `${placed.length} faults`;
  const rest = placed.length > maxFaults ? `, of which the first ${maxFaults} are shown` : '';
  return new QrunError(code, `${path.basename(file)} is no valid ${what}: it has ${count}${rest}`, { faults });
}

function faultOf({ start, end, path: at, message }: PlacedFault, { text, document, kind }: InvalidOptions): Fault {
  const { line, column } = document.lineOf(Math.min(start, text.length));
  const from = Math.min(start, text.length) - column + 1;
  const newline = text.indexOf('\n', from);
  const source = text.slice(from, newline < 0 ? undefined : newline).replace(/\r$/, '');
  const width = Math.max(1, Math.min(end - start, source.length - column + 1));
  return { file: kind.file, line, column, path: renderPath(at), message, source, width };
}
