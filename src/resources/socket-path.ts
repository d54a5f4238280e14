/**
 * A unix socket at a path of the profile's. QEMU removes without a word whatever lies where it is to listen, a file or the socket of another VM that runs,
 * so it is looked at before; and QEMU leaves its socket there when it is killed (a datagram socket always), so it is removed after.
 */
import { accessSync, constants, lstatSync, rmSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { accessOf } from '../host/file-access.ts';
import type { StepRecord } from '../journal/journal.ts';
import type { SocketPathStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';
import { delay } from '../system/delay.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { processOfSocket } from '../system/ports.ts';
import type { System } from '../system/system.ts';
import { findUnixSocket, probeUnixSocket } from '../system/unix-sockets.ts';
import type { Resource } from './resource.ts';

const lastWordsMs = 3000;

export const socketPath: Resource<SocketPathStep> = {
  describe: (step) => ({
    acquire: [{ op: 'check-socket', path: step.path, use: step.use }],
    release: step.use === 'bind' ? [{ op: 'remove', path: step.path }] : [],
  }),

  acquire: async (step) => {
    checkDirectory(step);
    const found = lookAt(step.path);
    if (found !== undefined) checkKind(step, found);
    if (step.use === 'connect') return {};
    if (found !== undefined) await refuseTaken(step);
    return { before: found === undefined ? null : momentOf(found) };
  },

  release: async (step, record, { system }) => {
    const found = step.use === 'bind' && record !== undefined ? lookAt(step.path) : undefined;
    if (found === undefined || record === undefined || !isOwn({ step, found, record, system })) return;
    if (await isAbandoned(step.path)) rmSync(step.path, { force: true });
  },
};

/** The record once QEMU runs: which file it made. */
export function withMadeSocket(step: SocketPathStep, record: StepRecord): StepRecord {
  const found = step.use === 'bind' ? lookAt(step.path) : undefined;
  return found?.isSocket() === true ? { ...record, made: identityOf(found) } : record;
}

const lookAt = (file: string): Stats | undefined => lstatSync(file, { throwIfNoEntry: false });

const identityOf = ({ dev, ino }: Stats): string => `${dev}:${ino}`;

/** The number of a file that is gone is soon that of another. */
const momentOf = (stats: Stats): string => `${identityOf(stats)}:${stats.ctimeMs}`;

function checkDirectory({ path: file, use, runAs }: SocketPathStep): void {
  const directory = path.dirname(file);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new QrunError('invalid-profile', `${file}: there is no directory ${directory}`, {
      hint: `mkdir -p ${shellWord(directory)}   # paths are relative to the profile`,
    });
  }
  if (use === 'connect' || mayMakeIn(directory, runAs)) return;
  const who = runAs === undefined ? 'this user' : `the user ${runAs.name}, whom QEMU runs as,`;
  throw new QrunError('permission', `${file}: ${who} may not make a socket in ${directory}`, {
    hint: `ls -ld ${shellWord(directory)}`,
  });
}

function mayMakeIn(directory: string, runAs: SocketPathStep['runAs']): boolean {
  if (runAs !== undefined) return accessOf(runAs).mayWrite(directory);
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function checkKind({ path: file }: SocketPathStep, found: Stats): void {
  if (found.isSocket()) return;
  const what = found.isSymbolicLink() ? 'a symbolic link' : found.isDirectory() ? 'a directory' : 'a file';
  throw new QrunError('unsafe-file', `${file} is ${what}, and no socket`, {
    hint: `ls -l ${shellWord(file)}   # or choose another path`,
  });
}

async function refuseTaken({ path: file }: SocketPathStep): Promise<void> {
  const state = await probeUnixSocket(file);
  if (state === 'dead') return;
  const inode = findUnixSocket(file)?.inode;
  const holder = inode === undefined ? undefined : processOfSocket(inode);
  const by = holder === undefined ? '' : ` by ${holder.description}`;
  throw new QrunError(
    'in-use',
    state === 'unknown' ? `${file} is the socket of another user` : `the socket ${file} is in use${by}`,
    { hint: 'choose another path, or stop what has it' },
  );
}

interface Found {
  readonly step: SocketPathStep;
  readonly found: Stats;
  readonly record: StepRecord;
  readonly system: Pick<System, 'uid'>;
}

/** What lay there before, or was put there by somebody else while QEMU ran, is not ours to remove. */
function isOwn({ step, found, record, system }: Found): boolean {
  if (!found.isSocket() || found.uid !== (step.runAs?.uid ?? system.uid)) return false;
  // in a directory that others can change, root's hand could be led to another file
  if (step.runAs !== undefined && faultOfDirectory(path.dirname(step.path), step.runAs) !== undefined) return false;
  const { made } = record;
  return made === undefined ? record['before'] !== momentOf(found) : made === identityOf(found);
}

/** A QEMU that was killed may have its sockets a moment longer than its lock. */
async function isAbandoned(file: string): Promise<boolean> {
  for (const end = performance.now() + lastWordsMs; performance.now() < end; await delay(20))
    if ((await probeUnixSocket(file)) === 'dead') return true;
  return false;
}
