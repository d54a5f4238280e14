/** Programs of a network's, in the care of a small `sh` that starts them again when they end, and that ends the network when nobody is on it. */
import { QrunError } from '../errors.ts';
import type { ServiceStep } from '../plan/step.ts';
import type { Resource } from './resource.ts';

export const service: Resource<ServiceStep> = {
  describe: (step) => ({
    acquire: [],
    release: [{ op: 'kill', what: `QRUN_SERVICE=${step.mark}` }],
  }),
  acquire: async () => {
    throw new QrunError('not-implemented', 'service');
  },
  release: async () => {},
};
