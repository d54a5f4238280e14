/** A copy that is made once and kept: the VM's own UEFI variable store. Written under another name first, so that a kill leaves no half of it. */
import { constants, copyFileSync, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { CopyStep } from '../plan/step.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { makePrivate } from '../system/private-file.ts';
import type { Resource } from './resource.ts';

const unfinished = (step: CopyStep): string => `${step.to}.new`;

export const copy: Resource<CopyStep> = {
  describe: (step) => ({ acquire: [{ op: 'copy', from: step.from, to: step.to }], release: [] }),

  acquire: async (step, { system, record }) => {
    if (existsSync(step.to)) return { made: false };
    ensurePrivateDirectory(path.dirname(step.to), { uid: system.uid });
    rmSync(unfinished(step), { force: true });
    copyFileSync(step.from, unfinished(step), constants.COPYFILE_EXCL);
    const made = { made: true, inode: makePrivate(unfinished(step), step.owner) };
    record(made);
    renameSync(unfinished(step), step.to);
    return made;
  },

  release: async (step, record, { started }) => {
    rmSync(unfinished(step), { force: true });
    const ours = record?.['made'] === true && statSync(step.to, { throwIfNoEntry: false })?.ino === record['inode'];
    if (ours && !started) rmSync(step.to, { force: true });
  },
};
