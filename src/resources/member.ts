/** A NIC's place on a managed network; networks/ does it, for a network is taken up and down by walks of its own. */
import { QrunError } from '../errors.ts';
import type { MemberStep } from '../plan/step.ts';
import type { SwitchMember } from '../switch/config.ts';
import type { NetworkDoor, Resource } from './resource.ts';

export const member: Resource<MemberStep> = {
  describe: (step) => ({
    acquire: [
      { op: 'lock', path: step.users, fd: step.fd, shared: true },
      { op: 'write', path: step.file, content: JSON.stringify(memberOf(step)) },
    ],
    release: [step.file, step.socket].flatMap((path) => (path === undefined ? [] : [{ op: 'remove' as const, path }])),
  }),

  acquire: async (step, { descriptors, networks }) => {
    descriptors.set(step.fd, await doorOf(networks).join(step));
    return {};
  },

  release: async (step, _record, { networks }) => doorOf(networks).leave(step),
};

/** What the switch is told of it. */
export function memberOf({ vm, nic, holder, mac, socket, ip, device }: MemberStep): Omit<SwitchMember, 'since'> {
  return {
    v: 1,
    vm,
    nic,
    holder,
    mac,
    ...(socket !== undefined && { port: socket.slice(socket.lastIndexOf('/') + 1) }),
    ...(ip !== undefined && { ip }),
    ...(device !== undefined && { device }),
    hostName: vm,
  };
}

function doorOf(networks: NetworkDoor | undefined): NetworkDoor {
  if (networks !== undefined) return networks;
  throw new QrunError('bug', 'a place on a network was walked over without the way to networks');
}
