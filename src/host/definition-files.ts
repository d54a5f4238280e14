/** Which file a name or a path means, and whether it may be trusted. A name is checked before anything is opened. What profiles and networks have in common. */
import { isUtf8 } from 'node:buffer';
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { isVmName, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import { closestOf } from '../profile/closest.ts';
import { shellWord } from '../shell-word.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { readOwned } from '../system/regular-file.ts';
import type { System } from '../system/system.ts';

export type DefinitionCode = 'invalid-profile' | 'invalid-network' | 'invalid-lab';

export interface DefinitionFiles {
  /** In each config directory, and in the package. */
  readonly folder: 'profiles' | 'networks' | 'labs';
  /** For messages: `profile`. */
  readonly what: string;
  readonly code: DefinitionCode;
  /** @throws QrunError `invalid-name` */
  readonly parseName: (text: string) => VmName;
  /** What makes one of that name. */
  readonly make: (name: string) => string;
  /** What to do with one that is near to what was written. */
  readonly use: (name: string) => string;
  /** How a path that does not end in `.yaml` can be taken all the same. */
  readonly anyFile: string;
}

export interface DefinitionFile {
  readonly name: VmName;
  /** Absolute. */
  readonly file: string;
  readonly text: string;
}

export interface DefinitionOptions {
  readonly places: Places;
  readonly system: Pick<System, 'uid' | 'env'>;
  /** Its name, whatever the file is called. */
  readonly name?: string;
}

export interface ListedDefinition {
  readonly name: VmName;
  readonly file: string;
  /** From the package, and not overridden by one of the user's. */
  readonly example: boolean;
}

const maxBytes = 256 * 1024;
const suffix = /\.ya?ml$/;

/**
 * `argument` is a path if it has a `/` or ends in `.yaml`, else a name in the config directories, the package's own last.
 * @throws QrunError `invalid-name`, `unknown-name`, `unsafe-file`, `permission`, and the kind's code for what is no text
 */
export function readDefinition(argument: string, kind: DefinitionFiles, options: DefinitionOptions): DefinitionFile {
  const found = locate(argument, kind, options);
  for (const file of found.candidates) {
    const text = readTrusted(file, options.system, kind.code);
    if (text !== undefined) return { name: found.name, file, text };
  }
  if (isPath(argument))
    throw new QrunError('unknown-name', `there is no ${argument}`, { hint: `ls ${shellWord(path.dirname(argument))}` });
  throw unknownName(argument, kind, options.places);
}

/** The file that `argument` means, without opening it; undefined when there is none. @throws QrunError `invalid-name` */
export function findDefinition(
  argument: string,
  kind: DefinitionFiles,
  options: Omit<DefinitionOptions, 'system'>,
): { readonly name: VmName; readonly file: string } | undefined {
  const { name, candidates } = locate(argument, kind, options);
  const file = candidates.find((candidate) => lstatSync(candidate, { throwIfNoEntry: false }) !== undefined);
  return file === undefined ? undefined : { name, file };
}

/** What such a word means is a file, also where a definition has that very name: `x.yaml` of `x.yaml.yaml`. */
export const isPath = (argument: string): boolean => argument.includes('/') || suffix.test(argument);

function locate(
  argument: string,
  kind: DefinitionFiles,
  { places, name }: Omit<DefinitionOptions, 'system'>,
): { readonly name: VmName; readonly candidates: readonly string[] } {
  if (isPath(argument)) return { name: nameOfPath(argument, kind, name), candidates: [path.resolve(argument)] };
  const written = kind.parseName(argument);
  const candidates = directoriesOf(places, kind).map(({ directory }) => path.join(directory, `${written}.yaml`));
  return { name: name === undefined ? written : kind.parseName(name), candidates };
}

/** A path that does not end like a definition is more likely a slip, or an attempt, than a definition: it is not even opened. */
function nameOfPath(
  argument: string,
  { parseName, what, anyFile }: DefinitionFiles,
  override: string | undefined,
): VmName {
  if (argument.includes('\0')) return parseName(argument);
  if (override !== undefined) return parseName(override);
  if (suffix.test(argument)) return parseName(path.basename(argument).replace(suffix, ''));
  const shown = JSON.stringify(argument.slice(0, 60));
  // a VM's name is what such a word is taken for most often; a network's is a file for `net define`
  const message = what === 'profile' ? `invalid VM name ${shown}` : `${shown} is no ${what}`;
  throw new QrunError('invalid-name', message, { hint: `the path of a ${what} ends in .yaml; ${anyFile}` });
}

function directoriesOf(
  { config, examples }: Places,
  { folder }: Pick<DefinitionFiles, 'folder'>,
): { readonly directory: string; readonly example: boolean }[] {
  return [
    ...config.map((directory) => ({ directory: path.join(directory, folder), example: false })),
    { directory: path.join(path.dirname(examples), folder), example: true },
  ];
}

/** By name; of several files of one name the first found counts, as when it is read. Nothing is opened. */
export function listDefinitions(places: Places, kind: Pick<DefinitionFiles, 'folder'>): ListedDefinition[] {
  const found = new Map<string, ListedDefinition>();
  for (const { directory, example } of directoriesOf(places, kind)) {
    for (const entry of readNames(directory)) {
      const name = entry.endsWith('.yaml') ? entry.slice(0, -'.yaml'.length) : '';
      if (!isVmName(name) || found.has(name)) continue;
      found.set(name, { name, file: path.join(directory, entry), example });
    }
  }
  return [...found.values()].toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

function readNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}

function unknownName(name: string, kind: DefinitionFiles, places: Places): QrunError {
  const near = closestOf(
    name,
    listDefinitions(places, kind).map((one) => one.name),
  );
  const looked = directoriesOf(places, kind).map(({ directory }) => directory);
  return new QrunError(
    'unknown-name',
    `there is no ${kind.what} ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    { hint: near === undefined ? kind.make(name) : kind.use(near), causes: [`looked in ${looked.join(', ')}`] },
  );
}

/**
 * The text of a file that says what is run: root takes none that others could have written.
 * @returns undefined when there is no such file @throws QrunError `unsafe-file`, `permission`, `invalid-profile` (or what `code` says) for what is no text
 */
export function readTrusted(
  file: string,
  { uid, env }: Pick<System, 'uid' | 'env'>,
  code: DefinitionCode = 'invalid-profile',
): string | undefined {
  const read = readOwned(file, { maxBytes });
  if (read === undefined) return undefined;
  if (uid === 0) refuseUntrusted(file, read.stat, sudoUidOf(env));
  if (isUtf8(read.bytes)) return read.text;
  throw new QrunError(code, `${file}: it is not UTF-8 text`, { hint: `file ${shellWord(file)}` });
}

/** The person behind `sudo`; root set that variable, so root may believe it. */
function sudoUidOf(env: System['env']): number {
  const written = env['SUDO_UID'];
  return written !== undefined && /^[0-9]{1,10}$/.test(written) ? Number(written) : 0;
}

/** What root runs must be what root, or the person behind sudo, wrote. Paths in it are relative to its directory, so that counts too. */
function refuseUntrusted(file: string, stat: Stats, sudoUid: number): void {
  if (stat.uid !== 0 && stat.uid !== sudoUid) {
    throw untrusted(
      `${file} belongs to another user (uid ${stat.uid})`,
      `chown root ${shellWord(file)}   # if you trust it`,
    );
  }
  if ((stat.mode & 0o022) !== 0) throw untrusted(`${file} can be written by others`, `chmod go-w ${shellWord(file)}`);
  const directory = path.dirname(file);
  const fault = faultOfDirectory(directory, { uid: sudoUid });
  if (fault !== undefined)
    throw untrusted(fault, `move it to a directory below /etc/qrun, or: chmod go-w ${shellWord(directory)}`);
  // a sticky directory keeps the file from being replaced, but not its neighbours from being made
  if ((lstatSync(`${directory}/.`).mode & 0o002) !== 0) {
    throw untrusted(`${directory} can be written by others`, 'move it to a directory of your own');
  }
}

const untrusted = (why: string, hint: string): QrunError =>
  new QrunError('unsafe-file', `refused as root: ${why}`, { hint });
