/**
 * The text of a profile → a `Profile`, or all of its faults at once. Loads the YAML and schema libraries: import it lazily.
 */
import path from 'node:path';
import * as z from 'zod/mini';
import { QrunError, type Fault } from '../errors.ts';
import type { VmName } from '../names.ts';
import { parseNicEntry, type NicEntry } from '../nic/schema/entry.ts';
import { consistencyFaults } from './consistency.ts';
import type { FieldContext } from './fields.ts';
import { faultsOfIssues } from './issues.ts';
import type { Nic, Profile } from './profile.ts';
import { maxDevices, profileSchema } from './schema.ts';
import { kindOf, renderPath } from './words.ts';
import { parseYaml, type DocumentPath, type PathFault, type PlacedFault, type YamlDocument } from './yaml-document.ts';

export interface ParseProfileOptions {
  /** Absolute; what the profile's relative paths are relative to. */
  readonly file: string;
  readonly name: VmName;
  /** What `~/` stands for in paths. */
  readonly home?: string;
}

/** More than anybody mends before looking again. */
const maxFaults = 100;

/** @throws QrunError `invalid-profile` with all faults of the text */
export function parseProfile(text: string, options: ParseProfileOptions): Profile {
  const document = parseYaml(text);
  const { profile, faults } = readProfile(document, options);
  const placed = [...document.faults, ...faults.map(document.place)];
  if (placed.length > 0) throw invalid(placed, { text, document, file: options.file });
  if (profile === undefined) throw new QrunError('bug', `${options.file} has neither faults nor a value`);
  return profile;
}

interface Reading {
  readonly profile?: Profile;
  readonly faults: readonly PathFault[];
}

function readProfile(document: YamlDocument, options: ParseProfileOptions): Reading {
  const { value, spoiled } = document;
  const unsaid = (faults: readonly PathFault[]): PathFault[] =>
    faults.filter(({ path: at }) => !spoiled.some((bad) => leadsTo(bad, at)));
  if (value === undefined) return { faults: [] };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      faults: [{ path: [], at: 'value', message: `a profile is a map of keys and values, not ${kindOf(value)}` }],
    };
  }
  const context: FieldContext = {
    directory: path.dirname(options.file),
    ...(options.home !== undefined && { home: options.home }),
  };
  const written = value as Readonly<Record<string, unknown>>;
  const parsed = profileSchema(context, z.unknown()).safeParse(written, { jitless: true });
  const nics = Array.isArray(written['nics']) ? (written['nics'] as unknown[]) : ['user'];
  const entries = nics.slice(0, maxDevices).map((nic, index) => parseNicEntry(nic, index, context));
  const lineOf = (at: DocumentPath): number =>
    document.lineOf(document.place({ path: at, at: 'value', message: '' }).start).line;
  const faults = unsaid([
    ...(parsed.success ? [] : faultsOfIssues(parsed.error.issues, written)),
    ...entries.flatMap((entry) => entry.faults),
    ...consistencyFaults({ written, entries, context, lineOf }),
  ]);
  return parsed.success ? { profile: profileOf(parsed.data, entries, options), faults } : { faults };
}

const leadsTo = (a: DocumentPath, b: DocumentPath): boolean =>
  a.length <= b.length && a.every((step, index) => step === b[index]);

type CheckedProfile = z.output<ReturnType<typeof profileSchema<z.ZodMiniUnknown>>>;

function profileOf(
  { memory, shutdown, ...rest }: CheckedProfile,
  entries: readonly NicEntry[],
  options: ParseProfileOptions,
): Profile {
  return {
    ...rest,
    name: options.name,
    file: options.file,
    memoryMib: memory,
    shutdown: { timeoutS: shutdown.timeout },
    nics: entries.flatMap(({ nic }): Nic[] => (nic === undefined ? [] : [nic])),
  };
}

interface InvalidOptions {
  readonly text: string;
  readonly document: YamlDocument;
  readonly file: string;
}

function invalid(placed: readonly PlacedFault[], options: InvalidOptions): QrunError {
  const { file } = options;
  const ordered = placed.toSorted((a, b) => a.start - b.start);
  const faults = ordered.slice(0, maxFaults).map((fault) => faultOf(fault, options));
  const count = placed.length === 1 ? 'a fault' : `${placed.length} faults`;
  const rest = placed.length > maxFaults ? `, of which the first ${maxFaults} are shown` : '';
  return new QrunError('invalid-profile', `${path.basename(file)} is no valid profile: it has ${count}${rest}`, {
    faults,
  });
}

function faultOf({ start, end, path: at, message }: PlacedFault, { text, document, file }: InvalidOptions): Fault {
  const { line, column } = document.lineOf(Math.min(start, text.length));
  const from = Math.min(start, text.length) - column + 1;
  const newline = text.indexOf('\n', from);
  const source = text.slice(from, newline < 0 ? undefined : newline).replace(/\r$/, '');
  const width = Math.max(1, Math.min(end - start, source.length - column + 1));
  return { file, line, column, path: renderPath(at), message, source, width };
}
