/**
 * The text of a lab file → a `Lab`, or all of its faults at once. Loads the YAML and schema libraries: import it lazily.
 */
import path from 'node:path';
import * as z from 'zod/mini';
import { closestOf } from '../profile/closest.ts';
import { parseDefinition, type LineOf, type Reading, type WrittenMap } from '../profile/definition.ts';
import type { FieldContext } from '../profile/fields.ts';
import { faultsOfIssues } from '../profile/issues.ts';
import { parseYaml } from '../profile/yaml-document.ts';
import { consistencyFaults, faultsOfNetworks } from './consistency.ts';
import type { Lab, LabVm } from './lab.ts';
import { labSchema } from './schema.ts';
import { readVms } from './vms.ts';

export interface ParseLabOptions {
  /** Absolute; what the lab's relative paths are relative to. */
  readonly file: string;
  /** What `~/` stands for in paths. */
  readonly home?: string;
}

/** @throws QrunError `invalid-lab` with all faults of the text */
export function parseLab(text: string, options: ParseLabOptions): Lab {
  return parseDefinition<Lab>(text, {
    file: options.file,
    what: 'lab',
    code: 'invalid-lab',
    read: (written, lineOf) => readLab(written, lineOf, options),
  });
}

/** Keys by which a lab, whatever its faults, is told from a profile. */
const tellingKeys = ['vms', 'networks'];

/** Whether this YAML is meant as a lab and not as a profile. Text that is no YAML is neither. */
export function isLab(text: string): boolean {
  const { value } = parseYaml(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.keys(value).some((key) => tellingKeys.includes(key) || closestOf(key, ['vms']) !== undefined);
}

function readLab(written: WrittenMap, lineOf: LineOf, { file, home }: ParseLabOptions): Reading<Lab> {
  const context: FieldContext = { directory: path.dirname(file), ...(home !== undefined && { home }) };
  const parsed = labSchema(context, z.unknown()).safeParse(written, { jitless: true });
  const entries = readVms(written['vms'], context);
  const faults = [
    ...(parsed.success ? faultsOfNetworks(parsed.data.networks) : faultsOfIssues(parsed.error.issues, written)),
    ...entries.flatMap((entry) => entry.faults),
    ...consistencyFaults(entries, lineOf),
  ];
  if (!parsed.success || faults.length > 0) return { faults };
  const { description, networks } = parsed.data;
  if (entries.length + networks.length === 0)
    return { faults: [{ path: [], at: 'value', message: 'a lab has at least one VM (below "vms") or one network' }] };
  const vms = entries.flatMap(({ vm, path: at }): LabVm[] =>
    vm === undefined ? [] : [{ ...vm, file, at: `${path.basename(file)}:${lineOf(at)}` }],
  );
  return { value: { file, ...(description !== undefined && { description }), networks, vms }, faults };
}
