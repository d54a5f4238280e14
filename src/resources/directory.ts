/** A private directory of a run: sockets live in it. Given back with all that is in it. */
import { chownSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import type { DirectoryStep } from '../plan/step.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import type { Resource } from './resource.ts';

export const directory: Resource<DirectoryStep> = {
  describe: (step) => ({
    acquire: [{ op: 'mkdir', path: step.path, mode: '0700', ...(step.owner && { owner: step.owner }) }],
    release: [{ op: 'remove', path: step.path }],
  }),

  acquire: async (step, { system }) => {
    ensurePrivateDirectory(path.dirname(step.path), { uid: system.uid });
    // under the VM lock whatever lies here is a dead run's
    remove(step.path);
    mkdirSync(step.path, { mode: 0o700 });
    if (step.owner !== undefined) chownSync(step.path, step.owner.uid, step.owner.gid);
    return {};
  },

  release: async (step) => remove(step.path),
};

/** rmSync does not follow links: one that a guest's QEMU planted is removed, not what it points to. */
function remove(file: string): void {
  try {
    const found = lstatSync(file);
    if (!found.isDirectory()) throw new QrunError('unsafe-state', `${file} is not a directory`, { hint: `rm ${file}` });
    rmSync(file, { recursive: true, force: true });
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
