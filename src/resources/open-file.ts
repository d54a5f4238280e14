/** A file of the VM's state that QEMU inherits as a descriptor. Logs stay; a file that was only made to be read is removed. */
import { closeSync, constants, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { OpenFileStep } from '../plan/step.ts';
import { failureOf } from '../system/failure.ts';
import type { Resource } from './resource.ts';

export const openFile: Resource<OpenFileStep> = {
  describe: (step) => ({
    acquire: [
      ...(step.rotate ? [{ op: 'rotate', path: step.path } as const] : []),
      ...(step.content === undefined ? [] : [{ op: 'write', path: step.path, content: step.content } as const]),
      { op: 'open', path: step.path, fd: step.fd, mode: step.mode },
    ],
    release: step.content === undefined ? [] : [{ op: 'remove', path: step.path }],
  }),

  acquire: async (step, { descriptors }) => {
    if (step.rotate) rotate(step.path);
    if (step.content !== undefined) write(step.path, step.content);
    const flags =
      step.mode === 'read' ? constants.O_RDONLY : constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
    descriptors.set(step.fd, openSync(step.path, flags | constants.O_NOFOLLOW, 0o600));
    return {};
  },

  release: async (step) => {
    if (step.content !== undefined) rmSync(step.path, { force: true });
  },
};

function rotate(file: string): void {
  try {
    renameSync(file, `${file}.1`);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function write(file: string, content: string): void {
  rmSync(file, { force: true });
  const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    writeSync(fd, content);
  } catch (error) {
    throw failureOf(file, error, 'cannot write it');
  } finally {
    closeSync(fd);
  }
}
