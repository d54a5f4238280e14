/** passt: user networking in a process of its own, started with the VM and ended with it. */
import { QrunError } from '../errors.ts';
import type { PasstStep } from '../plan/step.ts';
import type { Resource } from './resource.ts';

export const passt: Resource<PasstStep> = {
  describe: (step) => ({ acquire: [{ argv: step.argv }], release: [{ op: 'kill', what: step.pidFile }] }),
  acquire: async () => {
    throw new QrunError('not-implemented', 'passt');
  },
  release: async () => {},
};
