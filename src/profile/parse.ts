/**
 * The text of a profile → a `Profile`, or all of its faults at once. Loads the YAML and schema libraries: import it lazily.
 */
import path from 'node:path';
import * as z from 'zod/mini';
import type { VmName } from '../names.ts';
import { parseNicEntry, type NicEntry } from '../nic/schema/entry.ts';
import { consistencyFaults } from './consistency.ts';
import { parseDefinition, type LineOf, type Reading, type WrittenMap } from './definition.ts';
import type { FieldContext } from './fields.ts';
import { faultsOfIssues } from './issues.ts';
import type { Nic, Profile } from './profile.ts';
import { maxDevices, profileSchema } from './schema.ts';

export interface ParseProfileOptions {
  /** Absolute; what the profile's relative paths are relative to. */
  readonly file: string;
  readonly name: VmName;
  /** What `~/` stands for in paths. */
  readonly home?: string;
}

/** @throws QrunError `invalid-profile` with all faults of the text */
export function parseProfile(text: string, options: ParseProfileOptions): Profile {
  return parseDefinition(text, {
    file: options.file,
    what: 'profile',
    code: 'invalid-profile',
    read: (written, lineOf) => readProfile(written, lineOf, options),
  });
}

function readProfile(written: WrittenMap, lineOf: LineOf, options: ParseProfileOptions): Reading<Profile> {
  const context: FieldContext = {
    directory: path.dirname(options.file),
    ...(options.home !== undefined && { home: options.home }),
  };
  const parsed = profileSchema(context, z.unknown()).safeParse(written, { jitless: true });
  const nics = Array.isArray(written['nics']) ? (written['nics'] as unknown[]) : ['user'];
  const entries = nics.slice(0, maxDevices).map((nic, index) => parseNicEntry(nic, index, context));
  const faults = [
    ...(parsed.success ? [] : faultsOfIssues(parsed.error.issues, written)),
    ...entries.flatMap((entry) => entry.faults),
    ...consistencyFaults({ written, entries, context, lineOf }),
  ];
  return parsed.success ? { value: profileOf(parsed.data, entries, options), faults } : { faults };
}

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
