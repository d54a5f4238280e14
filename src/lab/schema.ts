/**
 * The keys of a lab file. What a VM of it is, is handed in: its full schema for the JSON Schema, anything for parsing, where each entry is looked at by
 * itself (lab/vms).
 */
import path from 'node:path';
import * as z from 'zod/mini';
import { isVmName, type VmName } from '../names.ts';
import type { Parsed } from '../profile/address.ts';
import {
  described,
  flag,
  map,
  parsePath,
  parsedText,
  text,
  textList,
  transformed,
  wholeNumber,
  type FieldContext,
} from '../profile/fields.ts';
import { truncated } from '../profile/words.ts';
import type { LabEdge, LabNetwork, LabWait } from './lab.ts';
import { parseWaitFor } from './wait-for.ts';

/** More than one command should start. */
export const maxVms = 500;

const namePattern = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$';

export function labSchema<V extends z.ZodMiniType>(context: FieldContext, vms: V) {
  return map('A lab of qrun: several VMs and their networks, which `qrun up` starts and `qrun down` ends together.', {
    description: z.exactOptional(text('What this lab is, in one line.', () => undefined)),
    networks: z._default(
      described(
        z.array(networkField(context)),
        'Networks that are up as long as the lab is, even with no VM on them. Those of its VMs need not stand here.',
      ),
      () => [],
    ),
    vms: z.exactOptional(vms),
  });
}

/** What stands under `vms`, for editors: by name, or as a list. */
export function vmsSchema(context: FieldContext) {
  const short = described(profileField(context), 'The profile: its name, or the path of its file.', {
    examples: ['web.yaml', './web.yaml'],
  });
  const nothing = described(z.null(), 'The profile of that name.');
  const named = described(z.union([short, nothing, entrySchema(context)]), 'A VM.');
  const inList = described(z.union([short, listEntrySchema(context)]), 'A VM.');
  return described(
    z.union([z.record(z.string().check(z.regex(new RegExp(namePattern))), named), z.array(inList)]),
    'The VMs: a map of names, or a list.',
  );
}

const entryShape = (context: FieldContext) => ({
  profile: z.exactOptional(profileField(context)),
  after: z.exactOptional(afterField()),
  wait: z.exactOptional(
    waitField(
      'What must be true of it before those after it start, and before `up` returns: end, port:NUMBER, text:REGEX. Default: QEMU runs.',
    ),
  ),
  timeout: z.exactOptional(wholeNumber('Seconds that a wait for this VM may take. Default: no limit.', 1, 86_400)),
  ephemeral: z.exactOptional(flag('true: nothing that the guest writes to its disks is kept.')),
  args: z._default(textList("More arguments for QEMU, behind the profile's own.", 'An argument.'), () => []),
});

export const entrySchema = (context: FieldContext) => map('A VM of the lab.', entryShape(context));

export const listEntrySchema = (context: FieldContext) =>
  map('A VM of the lab.', {
    name: z.exactOptional(
      text(
        "The VM's name. Default: the name of its profile.",
        (name) => (isVmName(name) ? undefined : `${truncated(name)} is no name of a VM`),
        { pattern: namePattern },
      ),
    ),
    ...entryShape(context),
  });

function profileField(context: FieldContext) {
  return parsedText(
    'Its profile: a name, or the path of a file, relative to this one. Default: the profile of its own name.',
    (written) => parseReference(written, context, 'profile'),
    { examples: ['web', 'web.yaml'] },
  );
}

function networkField(context: FieldContext) {
  return parsedText(
    'A network: its name, or the path of its definition, relative to this file.',
    (written): Parsed<LabNetwork> => {
      const definition = parseReference(written, context, 'network');
      if ('fault' in definition) return definition;
      const name = nameOf(definition.value);
      return isVmName(name)
        ? { value: { name, definition: definition.value } }
        : { fault: `${truncated(name)} is no name of a network` };
    },
    { examples: ['lab', 'networks/lab.yaml'] },
  );
}

function afterField() {
  const one = z.pipe(
    vmNameText('The VM that it comes after.'),
    z.transform((vm: string): LabEdge[] => [{ vm: vm as VmName }]),
  );
  const several = z.pipe(
    described(z.array(vmNameText('A VM that it comes after.')), 'The VMs that it comes after.'),
    z.transform((vms: string[]): LabEdge[] => vms.map((vm) => ({ vm: vm as VmName }))),
  );
  const wait = z.union([waitField('What must be true of that VM for this one.'), z.null()]);
  const withWaits = z.pipe(
    described(
      z.record(z.string(), described(wait, 'What must be true of that VM for this one. Nothing: what it says itself.')),
      'The VMs that it comes after, each with what must be true of it for this one.',
    ),
    z.transform((waits: Record<string, LabWait | null>): LabEdge[] =>
      Object.entries(waits).map(([vm, what]) => ({ vm: vm as VmName, ...(what !== null && { wait: what }) })),
    ),
  );
  return described(
    z.union([one, several, withWaits]),
    'The VMs that it comes after: a name, a list of names, or a map of a name and what is waited for.',
  );
}

/** Whether there is such a VM is looked at when all are known. */
function vmNameText(description: string) {
  return described(z.string(), description, { pattern: namePattern });
}

function waitField(description: string) {
  const parse = (written: string): Parsed<LabWait> => {
    const parsed = parseWaitFor(written);
    return 'fault' in parsed ? parsed : { value: { written, what: parsed.value } };
  };
  return z.pipe(
    described(z.string(), description, {
      pattern: '^(end|port:[0-9]{1,5}|text:.+)$',
      examples: ['end', 'port:22', 'text:login:'],
    }),
    transformed(parse),
  );
}

/** A path if it has a slash or ends like a file, as on a command line; else a name. */
function parseReference(written: string, context: FieldContext, what: string): Parsed<string> {
  if (isVmName(written) && !/\.ya?ml$/.test(written)) return { value: written };
  if (!written.includes('/') && !/\.ya?ml$/.test(written))
    return { fault: `${truncated(written)} is neither the name of a ${what} nor a path that ends in .yaml` };
  return parsePath(written, context);
}

/** The name that a reference gives: of a path, its base name without the ending. */
export const nameOf = (reference: string): string => path.basename(reference).replace(/\.ya?ml$/, '');
