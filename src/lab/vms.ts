/** What stands under `vms` of a lab file → its VMs, each looked at by itself, so that the faults of all are told. */
import type * as z from 'zod/mini';
import { isRecord } from '../json-object.ts';
import { isVmName, type VmName } from '../names.ts';
import type { FieldContext } from '../profile/fields.ts';
import { faultsOfIssues } from '../profile/issues.ts';
import { kindOf, truncated } from '../profile/words.ts';
import type { DocumentPath, PathFault } from '../profile/yaml-document.ts';
import type { LabVm } from './lab.ts';
import { entrySchema, listEntrySchema, maxVms, nameOf } from './schema.ts';

/** One entry: `vm` is absent when it cannot be made sense of, `name` where even that is not known. */
export interface VmEntry {
  readonly path: DocumentPath;
  readonly name?: string;
  /** What was written, for what is said about its parts. */
  readonly value: unknown;
  readonly vm?: LabVm;
  readonly faults: readonly PathFault[];
}

export function readVms(written: unknown, context: FieldContext): VmEntry[] {
  if (written === undefined) return [];
  const path: DocumentPath = ['vms'];
  if (typeof written !== 'object' || written === null)
    return [
      { path, value: written, faults: [fault(path, `a map of names or a list is needed, not ${kindOf(written)}`)] },
    ];
  const entries = Array.isArray(written)
    ? written.map((value: unknown, index) => ({ path: [...path, index], value }))
    : Object.entries(written).map(([name, value]) => ({ path: [...path, name], name, value: value as unknown }));
  if (entries.length > maxVms)
    return [{ path, value: written, faults: [fault(path, `${entries.length} VMs are too many: at most ${maxVms}`)] }];
  // to make a schema takes longer than to use it
  const schema = Array.isArray(written) ? listEntrySchema(context) : entrySchema(context);
  return entries.map((entry) => readEntry(entry, schema));
}

interface Entry {
  readonly path: DocumentPath;
  /** As the key of a map. */
  readonly name?: string;
  readonly value: unknown;
}

type Schema = ReturnType<typeof entrySchema> | ReturnType<typeof listEntrySchema>;

function readEntry({ path, name, value }: Entry, schema: Schema): VmEntry {
  const given = normalised(value, name);
  if (given === undefined) {
    const needed = name === undefined ? 'a profile or a map' : 'a profile, a map or nothing';
    return {
      path,
      value,
      ...(name !== undefined && { name }),
      faults: [fault(path, `${needed} is needed, not ${kindOf(value)}`)],
    };
  }
  const short = typeof value === 'string';
  const parsed = schema.safeParse(given, { jitless: true });
  // a short form has no place of its own for its profile
  const faults = parsed.success
    ? []
    : faultsOfIssues(parsed.error.issues, given, { base: path }).map((one) => (short ? { ...one, path } : one));
  const known = name ?? nameWritten(given);
  const entry = { path, value, ...(known !== undefined && { name: known }) };
  if (!parsed.success)
    return { ...entry, faults: [...(name === undefined ? [] : faultsOfName(name, path, true)), ...faults] };
  if (known === undefined)
    return {
      ...entry,
      faults: [{ path, at: 'value', message: 'the key "name" is missing, or "profile", which gives one' }],
    };
  if (!isVmName(known)) return { ...entry, faults: faultsOfName(known, path, name !== undefined) };
  return { ...entry, vm: vmOf(known, parsed.data), faults: [] };
}

/** The short forms: nothing, and a text that is the profile. */
function normalised(value: unknown, name: string | undefined): object | undefined {
  if (value === null && name !== undefined) return {};
  if (typeof value === 'string') return { profile: value };
  return isRecord(value) ? value : undefined;
}

type Checked = z.output<ReturnType<typeof entrySchema>>;

/** Also of an entry with faults, so that others may come after it. */
function nameWritten(given: { readonly name?: unknown; readonly profile?: unknown }): string | undefined {
  if (typeof given.name === 'string') return given.name;
  return typeof given.profile === 'string' ? nameOf(given.profile) : undefined;
}

function faultsOfName(name: string | undefined, path: DocumentPath, isKey: boolean): PathFault[] {
  if (name === undefined || isVmName(name)) return [];
  const message = `${truncated(name)} is no name of a VM: 1 to 40 letters, digits, "_", "." or "-", first a letter or digit`;
  return [{ path, at: isKey ? 'key' : 'value', message }];
}

function vmOf(name: VmName, { profile, after, timeout, wait, ephemeral, args }: Checked): LabVm {
  return {
    name,
    profile: profile ?? name,
    after: after ?? [],
    ...(wait !== undefined && { wait }),
    ...(timeout !== undefined && { timeoutS: timeout }),
    ...(ephemeral !== undefined && { ephemeral }),
    args,
  };
}

const fault = (path: DocumentPath, message: string): PathFault => ({ path, at: 'value', message });
