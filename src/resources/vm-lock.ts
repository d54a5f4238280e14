/**
 * The VM lock. It is taken before there is a journal (launch/start), because the journal itself is guarded by it, and it is given back by nobody:
 * it is free when QEMU, which holds the same open file, is gone.
 */
import type { VmLockStep } from '../plan/step.ts';
import type { Resource } from './resource.ts';

export const vmLock: Resource<VmLockStep> = {
  describe: (step) => ({ acquire: [{ op: 'lock', path: step.file, fd: step.fd }], release: [] }),
  acquire: async () => ({}),
  release: async () => {},
};
