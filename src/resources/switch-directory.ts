/**
 * The directory of a VDE switch: others than root make sockets in it. It lies in a directory of root's, so nobody puts another in its place; but what is in
 * it is anybody's, and may be swapped for a link while one looks. So root never goes by a path below it: names in it are unlinked as they are, and what is
 * more than that is left to rm, which goes down by descriptors.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import type { SwitchDirectoryStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';
import { failureOf } from '../system/failure.ts';
import type { System } from '../system/system.ts';
import { probeUnixSocket } from '../system/unix-sockets.ts';
import { openDirectory } from './host-network.ts';
import type { Resource } from './resource.ts';

export const switchDirectory: Resource<SwitchDirectoryStep> = {
  describe: (step) => ({
    acquire: [
      { argv: ['install', '-d', '-m', '0755', '--', path.dirname(step.path)] },
      { argv: ['rm', '-rf', '--', step.path] },
      { argv: ['install', '-d', '-m', '0700', '-o', uidOf(step), '-g', gidOf(step), '--', step.path] },
      { argv: ['chmod', octal(step.mode), step.path] },
    ],
    release: [{ op: 'remove', path: step.path }],
  }),

  acquire: async (step, { system }) => {
    openDirectory(path.dirname(step.path));
    const found = lstatSync(step.path, { throwIfNoEntry: false });
    if (found?.isDirectory() === false) throw notDirectory(step.path, found.isSymbolicLink());
    if (found !== undefined) {
      // under the network's lock it is a dead run's, unless a network of that name has another state directory
      if ((await probeUnixSocket(path.join(step.path, 'ctl'))) === 'taken') throw inUse(step.path);
      remove(step.path, system);
    }
    mkdirSync(step.path, { mode: 0o700 });
    openSwitchDirectory(step);
    return { inode: lstatSync(step.path).ino };
  },

  release: async (step, record, { system }) => {
    const found = lstatSync(step.path, { throwIfNoEntry: false });
    if (found?.isDirectory() !== true || (record?.['inode'] !== undefined && record['inode'] !== found.ino)) return;
    remove(step.path, system);
  },
};

/** As the step says: also one that is there, when somebody has changed it. */
export function openSwitchDirectory(step: Pick<SwitchDirectoryStep, 'path' | 'owner' | 'mode'>): void {
  const fd = openItself(step.path);
  try {
    fchownSync(fd, step.owner.uid, step.owner.gid);
    fchmodSync(fd, step.mode);
  } finally {
    closeSync(fd);
  }
}

const uidOf = ({ owner }: SwitchDirectoryStep): string => String(owner.uid);
const gidOf = ({ owner }: SwitchDirectoryStep): string => String(owner.gid);
const octal = (mode: number): string => mode.toString(8).padStart(4, '0');

function openItself(directory: string): number {
  try {
    return openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    throw failureOf(directory, error, 'cannot open it');
  }
}

function remove(directory: string, system: System): void {
  shut(directory);
  for (const name of readdirSync(directory)) unlinkName(path.join(directory, name));
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) throw failureOf(directory, error, 'cannot remove it');
    removeTree(directory, system);
  }
}

/** Nobody else makes anything in it from here on. */
function shut(directory: string): void {
  const fd = openItself(directory);
  try {
    if (fstatSync(fd).uid !== 0) fchownSync(fd, 0, 0);
    fchmodSync(fd, 0o700);
  } finally {
    closeSync(fd);
  }
}

/** A link is removed, not followed; a directory stays. */
function unlinkName(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (!['ENOENT', 'EISDIR', 'EPERM'].includes(errnoOf(error) ?? '')) throw failureOf(file, error, 'cannot remove it');
  }
}

function removeTree(directory: string, system: System): void {
  const { status, stderr } = system.runNow('rm', ['-rf', '--one-file-system', '--', directory]);
  if (status === 0) return;
  throw new QrunError('left-behind', `${directory} could not be removed: ${stderr.trim()}`, {
    hint: `sudo rm -rf ${shellWord(directory)}`,
  });
}

const notDirectory = (file: string, isLink: boolean): QrunError =>
  new QrunError('unsafe-state', `${file} is ${isLink ? 'a symbolic link, and is not followed' : 'not a directory'}`, {
    hint: `ls -ld ${shellWord(file)}; sudo rm ${shellWord(file)}`,
  });

const inUse = (directory: string): QrunError =>
  new QrunError('in-use', `a VDE switch listens in ${directory} that is no other of this state directory's`, {
    hint: `sudo fuser -v ${shellWord(`${directory}/ctl`)}`,
  });
