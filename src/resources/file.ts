/** A small file of the state's that something else reads: a switch's configuration, a keeper's script. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import type { FileStep } from '../plan/step.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { writeQuick } from '../system/files.ts';
import { makeMissingDirectory } from '../system/missing-directory.ts';
import type { Resource } from './resource.ts';

export const file: Resource<FileStep> = {
  describe: (step) => ({
    acquire: [{ op: 'write', path: step.path, content: step.content }],
    release: [{ op: 'remove', path: step.path }],
  }),

  acquire: async (step, { system }) => {
    if (step.public) makeMissingDirectory(path.dirname(step.path), 0o755);
    else ensurePrivateDirectory(path.dirname(step.path), { uid: system.uid });
    writeQuick(step.path, step.content, { mode: step.public ? 0o644 : 0o600 });
    return {};
  },

  release: async (step) => rmSync(step.path, { force: true, recursive: true }),
};
