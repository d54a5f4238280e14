/** Which file a profile argument means, and its text. */
import { parseVmName, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import {
  findDefinition,
  listDefinitions,
  readDefinition,
  type DefinitionFile,
  type DefinitionFiles,
  type DefinitionOptions,
  type ListedDefinition,
} from './definition-files.ts';

export type ProfileFile = DefinitionFile;
export type ListedProfile = ListedDefinition;
/** `name` is that of `--name`: the VM's name, whatever the file is called. */
export type ProfileFileOptions = DefinitionOptions;

const profiles: DefinitionFiles = {
  folder: 'profiles',
  what: 'profile',
  code: 'invalid-profile',
  parseName: parseVmName,
  make: (name) => `qrun new ${name}`,
  use: (name) => `qrun ${name}`,
  anyFile: '--name NAME takes any file',
};

/**
 * `argument` is a path if it has a `/` or ends in `.yaml`, else the name of a profile in the config directories, examples last.
 * @throws QrunError `invalid-name`, `unknown-name`, `unsafe-file`, `permission`, `invalid-profile` (not text)
 */
export const readProfileFile = (argument: string, options: ProfileFileOptions): ProfileFile =>
  readDefinition(argument, profiles, options);

/** The file that `argument` means, without opening it; undefined when there is none. For `edit` and `rm`. @throws QrunError `invalid-name` */
export const findProfileFile = (
  argument: string,
  options: Omit<ProfileFileOptions, 'system'>,
): { readonly name: VmName; readonly file: string } | undefined => findDefinition(argument, profiles, options);

/** By name; of several files of one name the first found counts, as for `readProfileFile`. Nothing is opened. */
export const listProfiles = (places: Places): ListedProfile[] => listDefinitions(places, profiles);
