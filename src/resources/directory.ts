/** A private directory of a run: sockets live in it. Given back with all that is in it. */
import { chownSync, lstatSync, mkdirSync, rmSync, type Stats } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import type { DirectoryStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';
import { delay } from '../system/delay.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { entriesOf } from '../system/entries.ts';
import type { Resource } from './resource.ts';

const lastWordsMs = 3000;

export const directory: Resource<DirectoryStep> = {
  describe: (step) => ({
    acquire: [{ op: 'mkdir', path: step.path, mode: '0700', ...(step.owner && { owner: step.owner }) }],
    release: [{ op: 'remove', path: step.path }],
  }),

  acquire: async (step, { system }) => {
    above(step.path, system.uid);
    // under the VM lock whatever lies here is a dead run's, unless a VM of that name with another state directory has its sockets here
    const found = lookAt(step.path);
    if (found?.isDirectory() === false) throw notDirectory(step.path);
    const live = found === undefined || (await isSilent(step.path)) ? undefined : await findLiveSocket(step.path);
    if (live !== undefined) throw inUse(live);
    remove(step.path);
    above(step.path, system.uid, () => mkdirSync(step.path, { mode: 0o700 }));
    if (step.owner !== undefined) chownSync(step.path, step.owner.uid, step.owner.gid);
    return { inode: lstatSync(step.path).ino };
  },

  release: async (step, record) => {
    const found = lookAt(step.path);
    // what is no directory, or another one, was not made by this run
    if (found?.isDirectory() !== true || (record?.['inode'] !== undefined && record['inode'] !== found.ino)) return;
    if (await isSilent(step.path)) remove(step.path);
  },
};

const mostTries = 100;

/** What is above a place is given back by whoever finds it empty, also in between: then it is made again. */
function above(place: string, uid: number, act: () => void = () => {}): void {
  for (let tries = 1; ; tries += 1) {
    try {
      ensurePrivateDirectory(path.dirname(place), { uid });
      return act();
    } catch (error) {
      const isGone = errnoOf(error) === 'ENOENT' || lookAt(path.dirname(place)) === undefined;
      if (tries === mostTries || !isGone) throw error;
    }
  }
}

const inUse = (socket: string): QrunError =>
  new QrunError('in-use', `${socket} is the socket of a VM that runs with another state directory`, {
    hint: `fuser -v ${shellWord(socket)}   # or set QRUN_RUNTIME_DIR to a directory of this one's own`,
  });

const notDirectory = (file: string): QrunError =>
  new QrunError('unsafe-state', `${file} is not a directory`, { hint: `rm ${shellWord(file)}` });

/** Below what is no directory there is nothing. */
function lookAt(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** rmSync does not follow links: one that a guest's QEMU planted is removed, not what it points to. */
function remove(file: string): void {
  rmSync(file, { recursive: true, force: true });
}

/** QEMU would take a socket's path from another without a word, so somebody who listens is asked for. */
async function findLiveSocket(place: string): Promise<string | undefined> {
  for (const name of entriesOf(place)) {
    const file = path.join(place, name);
    if (lstatSync(file, { throwIfNoEntry: false })?.isSocket() === true && (await isListening(file))) return file;
  }
  return undefined;
}

/** A QEMU that was killed is a zombie before the last of its threads has let go of its sockets: so not at the first word. */
async function isSilent(place: string): Promise<boolean> {
  for (const end = performance.now() + lastWordsMs; performance.now() < end; await delay(20))
    if ((await findLiveSocket(place)) === undefined) return true;
  return false;
}

/** A full queue (EAGAIN) has somebody behind it; whatever else is refused has nobody whose path could be taken. */
async function isListening(socket: string): Promise<boolean> {
  const { createConnection } = await import('node:net');
  return await new Promise((resolve) => {
    const connection = createConnection(socket);
    const tell = (listening: boolean): void => {
      connection.destroy();
      resolve(listening);
    };
    connection.once('connect', () => tell(true));
    connection.once('error', (error) => tell(errnoOf(error) === 'EAGAIN'));
  });
}
