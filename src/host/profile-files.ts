/** Which file a profile argument means, and whether it may be trusted. A name is checked before anything is opened. */
import { isUtf8 } from 'node:buffer';
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { isVmName, parseVmName, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import { closestOf } from '../profile/closest.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { readOwned } from '../system/regular-file.ts';
import type { System } from '../system/system.ts';

export interface ProfileFile {
  readonly name: VmName;
  /** Absolute. */
  readonly file: string;
  readonly text: string;
}

export interface ProfileFileOptions {
  readonly places: Places;
  readonly system: Pick<System, 'uid' | 'env'>;
  /** `--name`: the VM's name, whatever the file is called. */
  readonly name?: string;
}

const maxProfileBytes = 256 * 1024;
const suffix = /\.ya?ml$/;

/**
 * `argument` is a path if it has a `/` or ends in `.yaml`, else the name of a profile in the config directories, examples last.
 * @throws QrunError `invalid-name`, `unknown-name`, `unsafe-file`, `permission`, `invalid-profile` (not text)
 */
export function readProfileFile(argument: string, options: ProfileFileOptions): ProfileFile {
  const found = locate(argument, options);
  if (found.candidates.length === 0) throw unknownName(argument, options.places);
  for (const file of found.candidates) {
    const text = readTrusted(file, options.system);
    if (text !== undefined) return { name: found.name, file, text };
  }
  if (isPath(argument)) throw new QrunError('unknown-name', `there is no ${argument}`, { hint: 'qrun ls' });
  throw unknownName(argument, options.places);
}

/** The file that `argument` means, without opening it; undefined when there is none. For `edit` and `rm`. @throws QrunError `invalid-name` */
export function findProfileFile(
  argument: string,
  options: Omit<ProfileFileOptions, 'system'>,
): { readonly name: VmName; readonly file: string } | undefined {
  const { name, candidates } = locate(argument, options);
  const file = candidates.find((candidate) => lstatSync(candidate, { throwIfNoEntry: false }) !== undefined);
  return file === undefined ? undefined : { name, file };
}

const isPath = (argument: string): boolean => argument.includes('/') || suffix.test(argument);

function locate(
  argument: string,
  { places, name }: Omit<ProfileFileOptions, 'system'>,
): { readonly name: VmName; readonly candidates: readonly string[] } {
  if (!isPath(argument)) {
    const profile = parseVmName(argument);
    return { name: name === undefined ? profile : parseVmName(name), candidates: placesOfName(places, profile) };
  }
  return { name: nameOfPath(argument, name), candidates: [path.resolve(argument)] };
}

/** A path that does not end like a profile is more likely a slip, or an attempt, than a profile: it is not even opened. */
function nameOfPath(argument: string, override: string | undefined): VmName {
  if (argument.includes('\0')) return parseVmName(argument);
  if (override !== undefined) return parseVmName(override);
  if (!suffix.test(argument)) {
    throw new QrunError('invalid-name', `invalid VM name ${JSON.stringify(argument.slice(0, 60))}`, {
      hint: 'a path of a profile ends in .yaml; --name NAME takes any file',
    });
  }
  return parseVmName(path.basename(argument).replace(suffix, ''));
}

function placesOfName(places: Places, name: VmName): string[] {
  return [...places.config.map((directory) => path.join(directory, 'profiles')), places.examples].map((directory) =>
    path.join(directory, `${name}.yaml`),
  );
}

/**
 * The text of a file that says what is run: root takes none that others could have written.
 * @returns undefined when there is no such file @throws QrunError `unsafe-file`, `permission`, `invalid-profile` (or what `code` says) for what is no text
 */
export function readTrusted(
  file: string,
  { uid, env }: Pick<System, 'uid' | 'env'>,
  code: 'invalid-profile' | 'invalid-network' | 'invalid-lab' = 'invalid-profile',
): string | undefined {
  const read = readOwned(file, { maxBytes: maxProfileBytes });
  if (read === undefined) return undefined;
  if (uid === 0) refuseUntrusted(file, read.stat, sudoUidOf(env));
  if (isUtf8(read.bytes)) return read.text;
  throw new QrunError(code, `${file}: it is not UTF-8 text`, { hint: `file ${file}` });
}

/** The person behind `sudo`; root set that variable, so root may believe it. */
function sudoUidOf(env: System['env']): number {
  const written = env['SUDO_UID'];
  return written !== undefined && /^[0-9]{1,10}$/.test(written) ? Number(written) : 0;
}

/** What root runs must be what root, or the person behind sudo, wrote. Paths in it are relative to its directory, so that counts too. */
function refuseUntrusted(file: string, stat: Stats, sudoUid: number): void {
  if (stat.uid !== 0 && stat.uid !== sudoUid) {
    throw untrusted(`${file} belongs to another user (uid ${stat.uid})`, `chown root ${file}, if you trust it`);
  }
  if ((stat.mode & 0o022) !== 0) throw untrusted(`${file} can be written by others`, `chmod go-w ${file}`);
  const directory = path.dirname(file);
  const fault = faultOfDirectory(directory, { uid: sudoUid });
  if (fault !== undefined) throw untrusted(fault, `move it to /etc/qrun/profiles, or: chmod go-w ${directory}`);
  // a sticky directory keeps the profile from being replaced, but not its neighbours from being made
  if ((lstatSync(`${directory}/.`).mode & 0o002) !== 0) {
    throw untrusted(`${directory} can be written by others`, 'move it to a directory of your own');
  }
}

const untrusted = (why: string, hint: string): QrunError =>
  new QrunError('unsafe-file', `refused as root: ${why}`, { hint });

export interface ListedProfile {
  readonly name: VmName;
  readonly file: string;
  /** From the package, and not overridden by one of the user's. */
  readonly example: boolean;
}

/** By name; of several files of one name the first found counts, as for `readProfileFile`. Nothing is opened. */
export function listProfiles(places: Places): ListedProfile[] {
  const found = new Map<string, ListedProfile>();
  const directories = places.config.map((directory) => ({
    directory: path.join(directory, 'profiles'),
    example: false,
  }));
  for (const { directory, example } of [...directories, { directory: places.examples, example: true }]) {
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

function unknownName(name: string, places: Places): QrunError {
  const near = closestOf(
    name,
    listProfiles(places).map((profile) => profile.name),
  );
  const looked = [...places.config.map((directory) => path.join(directory, 'profiles')), places.examples];
  return new QrunError(
    'unknown-name',
    `there is no profile ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    { hint: near === undefined ? `qrun new ${name}` : `qrun ${near}`, causes: [`looked in ${looked.join(', ')}`] },
  );
}
