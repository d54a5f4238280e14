/** Does the actions of an item. Files of /etc are replaced as a whole, and only where nobody but root has a hand in it. */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { shellWord } from '../shell-word.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { failureOf } from '../system/failure.ts';
import { syncDirectory } from '../system/files.ts';
import { readOwned } from '../system/regular-file.ts';
import type { SetupAction } from './item.ts';
import type { SetupHost } from './kind.ts';
import { addLine, removeLine } from './line-edit.ts';
import { renderAction } from './render.ts';

const maxBytes = 4 * 1024 * 1024;
const runMs = 60_000;

/** @throws QrunError `host-failed`, `missing-tool`, `permission`, `unsafe-state` */
export function perform(action: SetupAction, host: SetupHost): void {
  switch (action.do) {
    case 'run':
      return run(action, host);
    case 'write': {
      const gid = action.group === undefined ? 0 : gidOf(action.group);
      return replace(action.path, Buffer.from(action.content).toString('latin1'), { mode: action.mode, uid: 0, gid });
    }
    case 'remove':
      return removeFile(action.path);
    case 'add-line':
      return putLine(action);
    case 'remove-line':
      return takeLine(action);
    case 'mkdir':
      return makeDirectory(action);
    case 'rmdir':
      return removeDirectory(action.path);
  }
}

function run(action: Extract<SetupAction, { do: 'run' }>, { system }: SetupHost): void {
  const [tool = '', ...args] = action.argv;
  if (action.mayFail === true && system.which(tool) === undefined) return;
  const { status, stderr, stdout } = system.runNow(tool, args, { timeoutMs: runMs });
  if (status === 0 || action.mayFail === true) return;
  if (action.mayExist === true && stderr.includes('File exists')) return;
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-3);
  throw new QrunError('host-failed', `${renderAction(action).join(' ')} failed with status ${status}`, {
    causes: said.filter((line) => line !== ''),
  });
}

function putLine({ path: file, line, mode, group, above }: Extract<SetupAction, { do: 'add-line' }>): void {
  const found = readSafe(file);
  const owner = found ?? { mode, uid: 0, gid: group === undefined ? 0 : gidOf(group), text: '' };
  const text = addLine(owner.text, line, above);
  if (found === undefined || text !== found.text) replace(file, text, owner);
}

function takeLine({ path: file, line, ...where }: Extract<SetupAction, { do: 'remove-line' }>): void {
  const found = readSafe(file);
  if (found === undefined) return;
  const text = removeLine(found.text, line, where);
  if (text === undefined) removeFile(file);
  else if (text !== found.text) replace(file, text, found);
}

export interface SafeFile {
  /** Bytes, each as one character. */
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * A file that setup may edit: a plain file in directories of root's, that root alone can write. Undefined: there is none.
 * @throws QrunError `unsafe-state`
 */
export function readSafe(file: string): SafeFile | undefined {
  const fault = faultOfEditing(file);
  if (fault !== undefined) throw new QrunError('unsafe-state', fault.message, { hint: fault.hint });
  const read = readOwned(file, { maxBytes, code: 'unsafe-state' });
  if (read === undefined) return undefined;
  const { mode, uid, gid } = read.stat;
  return { text: read.bytes.toString('latin1'), mode: mode & 0o7777, uid, gid };
}

/** Why root should not edit it: what stands there could be another user's doing, or would be another user's to change. */
export function faultOfEditing(file: string): { readonly message: string; readonly hint: string } | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink() === true)
    return {
      message: `${file} is a symbolic link: setup edits the file itself or nothing`,
      hint: existsSync(file)
        ? `sudo cp --remove-destination -- "$(readlink -f ${shellWord(file)})" ${shellWord(file)}`
        : `sudo mv ${shellWord(file)} ${shellWord(`${file}.old`)}`,
    };
  if (stat !== undefined && !stat.isFile())
    return { message: `${file} is not a plain file`, hint: `sudo mv ${shellWord(file)} ${shellWord(`${file}.old`)}` };
  if (stat !== undefined && (stat.mode & 0o022) !== 0)
    return {
      message: `${file} can be written by others (mode ${(stat.mode & 0o7777).toString(8).padStart(4, '0')})`,
      hint: `sudo chmod go-w ${shellWord(file)}`,
    };
  if (stat !== undefined && stat.uid !== 0)
    return { message: `${file} belongs to uid ${stat.uid}, not to root`, hint: `sudo chown root ${shellWord(file)}` };
  const directory = nearestDirectory(path.dirname(file));
  const unsafe = faultOfDirectory(directory, { uid: 0 });
  return unsafe === undefined ? undefined : { message: `${file}: ${unsafe}`, hint: mendOfDirectory(unsafe, directory) };
}

/** @param fault begins with the directory that it is of, which may be one above */
function mendOfDirectory(fault: string, directory: string): string {
  const [of = directory] = fault.split(' ');
  if (fault.startsWith(`${of} can be written`)) return `sudo chmod go-w ${shellWord(of)}`;
  return fault.startsWith(`${of} belongs to`) ? `sudo chown root ${shellWord(of)}` : `ls -ld ${shellWord(directory)}`;
}

const nearestDirectory = (directory: string): string =>
  lstatSync(directory, { throwIfNoEntry: false }) === undefined ? nearestDirectory(path.dirname(directory)) : directory;

let drafts = 0;

/** Owner and mode are given before the name is. */
function replace(file: string, text: string, { mode, uid, gid }: Omit<SafeFile, 'text'>): void {
  const fault = faultOfEditing(file);
  if (fault !== undefined) throw new QrunError('unsafe-state', fault.message, { hint: fault.hint });
  const draft = path.join(path.dirname(file), `.${path.basename(file)}.qrun-${process.pid}-${drafts++}`);
  try {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const fd = openSync(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      const bytes = Buffer.from(text, 'latin1');
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      fchownSync(fd, uid, gid);
      fchmodSync(fd, mode);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, file);
    syncDirectory(path.dirname(file));
  } catch (error) {
    rmSync(draft, { force: true });
    throw failureOf(file, error, 'cannot write it');
  }
}

function removeFile(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch (error) {
    throw failureOf(file, error, 'cannot remove it');
  }
}

/** Whatever the umask is. */
function makeDirectory({ path: directory, mode }: Extract<SetupAction, { do: 'mkdir' }>): void {
  try {
    if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) mkdirSync(directory);
    chownSync(directory, 0, 0);
    chmodSync(directory, mode);
  } catch (error) {
    throw failureOf(directory, error, 'cannot make the directory');
  }
}

/** What others have put there is theirs. */
function removeDirectory(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY'].includes(errnoOf(error) ?? ''))
      throw failureOf(directory, error, 'cannot remove the directory');
  }
}

/** @throws QrunError `host-failed` */
function gidOf(group: string): number {
  for (const line of readFileSync('/etc/group', 'utf8').split('\n')) {
    const [name, , gid = ''] = line.split(':');
    if (name === group && /^\d+$/.test(gid)) return Number(gid);
  }
  throw new QrunError('host-failed', `there is no group ${group} in /etc/group`, { hint: `getent group ${group}` });
}
