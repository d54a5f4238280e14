/** `qrun new` and `qrun edit`: profiles written and changed, checked before they are kept. */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { homeDirectory } from '../home.ts';
import { readProfileFile } from '../host/profile-files.ts';
import { parseVmName, type VmName } from '../names.ts';
import type { NewProfileOptions } from '../profile/template.ts';
import { editFile } from '../system/edit-file.ts';
import { createExclusive, writeDurable } from '../system/files.ts';
import { makeMissingDirectory } from '../system/missing-directory.ts';
import { ensureState, type LaunchContext } from './prepare.ts';

/** Where a new profile goes: the first of the configuration's directories. */
function ownFile({ places }: LaunchContext, vm: VmName): string {
  return path.join(places.config[0] ?? '.', 'profiles', `${vm}.yaml`);
}

export interface NewProfile extends NewProfileOptions {
  readonly name: string;
  /** Replaces one that is there. */
  readonly force: boolean;
}

/** @returns the file @throws QrunError `in-use` when there is one already, `invalid-profile` for values that make none */
export async function createProfile(args: NewProfile, context: LaunchContext): Promise<string> {
  const vm = parseVmName(args.name);
  const { renderNewProfile } = await import('../profile/template.ts');
  const { parseProfile } = await import('../profile/parse.ts');
  const { name: _name, force, ...flags } = args;
  const text = renderNewProfile({
    ...flags,
    schema: path.join(context.places.examples, '../schema/profile.schema.json'),
  });
  const file = ownFile(context, vm);
  parseProfile(text, { file, name: vm, home: homeDirectory() });
  makeMissingDirectory(path.dirname(file), 0o755);
  if (force) writeDurable(file, text, { mode: 0o644 });
  else if (!createExclusive(file, text, { mode: 0o644 })) {
    throw new QrunError('in-use', `${file} exists`, { hint: `qrun edit ${vm}, or: qrun new --force ${vm}` });
  }
  return file;
}

/**
 * Opens the editor on a copy; the profile is replaced only by one that parses, unless `force`.
 * @returns whether it was changed @throws QrunError `invalid-profile`, with where the refused text is kept
 */
export async function editProfile(argument: string, force: boolean, context: LaunchContext): Promise<boolean> {
  const { system, places } = context;
  const found = readProfileFile(argument, { system, places });
  const target = isExample(found.file, places.examples) ? ownFile(context, found.name) : found.file;
  ensureState(context);
  const draft = path.join(places.state, `edit-${found.name}.yaml`);
  return await editFile({
    target,
    text: found.text,
    draft,
    env: system.env,
    validate: (text) => checkEdited(text, { draft, target, force, name: found.name, context }),
  });
}

interface Edited {
  readonly draft: string;
  readonly target: string;
  readonly force: boolean;
  readonly name: VmName;
  readonly context: LaunchContext;
}

async function checkEdited(text: string, { draft, target, force, name, context }: Edited): Promise<void> {
  const { parseProfile } = await import('../profile/parse.ts');
  try {
    parseProfile(text, { file: target, name, home: homeDirectory() });
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    if (force) {
      context.warn(`${target} is kept although it is not valid: ${error.message}`);
      return;
    }
    throw new QrunError(error.code, `${error.message}; ${target} is as it was`, {
      faults: error.faults,
      hint: `your text is kept in ${draft}; or: qrun edit --force ${name}`,
    });
  }
}

/** The package may be reached by a link. */
function isExample(file: string, examples: string): boolean {
  try {
    return path.dirname(realpathSync(file)) === realpathSync(examples);
  } catch {
    return false;
  }
}
