/** A NIC's place on a managed network; networks/ does it, for a network is taken up and down by walks of its own. */
import { QrunError } from '../errors.ts';
import type { MemberStep } from '../plan/step.ts';
import type { NetworkDoor, Resource } from './resource.ts';

export const member: Resource<MemberStep> = {
  describe: (step) => ({
    acquire: [{ op: 'open', path: step.users, fd: step.fd, mode: 'read-write' }],
    release: [{ op: 'remove', path: step.file }],
  }),

  acquire: async (step, { descriptors, networks }) => {
    descriptors.set(step.fd, await doorOf(networks).join(step));
    return {};
  },

  release: async (step, _record, { networks }) => doorOf(networks).leave(step),
};

function doorOf(networks: NetworkDoor | undefined): NetworkDoor {
  if (networks !== undefined) return networks;
  throw new QrunError('bug', 'a place on a network was walked over without the way to networks');
}
