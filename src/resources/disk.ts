/**
 * A disk image that is made for the VM. qemu-img writes it under a name of this run's, then it is linked to its own name: so a kill in the middle
 * leaves only a file that is provably ours (by its name, or by the inode that is in the journal before it has its name), and a file that somebody else made meanwhile is never overwritten.
 */
import { existsSync, linkSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import type { DiskStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { makePrivate } from '../system/private-file.ts';
import type { Resource } from './resource.ts';

function imageArguments(step: DiskStep, file: string): string[] {
  const base = step.base === undefined ? [] : ['-b', step.base.file, '-F', step.base.format];
  const size = step.sizeBytes === undefined ? [] : [String(step.sizeBytes)];
  return ['create', '-q', '-f', step.format, ...base, '--', file, ...size];
}

const unfinished = (step: DiskStep, runId: string): string =>
  path.join(path.dirname(step.file), `.qrun-${runId}-${path.basename(step.file)}`);

export const disk: Resource<DiskStep> = {
  describe: (step) => ({
    acquire: [{ argv: ['qemu-img', ...imageArguments(step, step.file)] }],
    release: step.temporary ? [{ op: 'remove', path: step.file }] : [],
  }),

  acquire: async (step, { system, runId, record }) => {
    if (step.temporary) rmSync(step.file, { force: true });
    if (step.ownDirectory) ensurePrivateDirectory(path.dirname(step.file), { uid: system.uid });
    if (existsSync(step.file)) return { made: false };
    const draft = unfinished(step, runId);
    const { status, stderr } = await system.run('qemu-img', imageArguments(step, draft));
    if (status !== 0) {
      rmSync(draft, { force: true });
      throw new QrunError('host-failed', `${step.file}: the disk could not be created`, {
        causes: [stderr.trim()],
        hint: `df -h ${shellWord(path.dirname(step.file))}`,
      });
    }
    const inode = makePrivate(draft, step.owner);
    record({ made: true, inode });
    return { made: publish(draft, step.file), inode };
  },

  release: async (step, record, { runId, started }) => {
    rmSync(unfinished(step, runId), { force: true });
    const ours = record === undefined ? false : record['made'] === true && sameInode(step.file, record['inode']);
    if (step.temporary || (ours && !started)) rmSync(step.file, { force: true });
  },
};

/** False when somebody else made the file meanwhile: then it is used as it is. */
function publish(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function sameInode(file: string, inode: unknown): boolean {
  try {
    return statSync(file).ino === inode;
  } catch {
    return false;
  }
}
