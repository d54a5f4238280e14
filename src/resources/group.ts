/** A multicast group that QEMU will join: joined and left here first, because QEMU's own words do not say what is wrong with the interface. */
import type { Socket } from 'node:dgram';
import { errnoOf, QrunError } from '../errors.ts';
import type { GroupStep } from '../plan/step.ts';
import { faultOfBind, refusePrivileged } from './port.ts';
import type { Resource } from './resource.ts';

export const group: Resource<GroupStep> = {
  describe: ({ address, port, interface: on }) => ({
    acquire: [{ op: 'check-group', address, port, interface: on }],
    release: [],
  }),

  acquire: async (step, { system }) => {
    refusePrivileged({ ...step, protocol: 'udp' }, system);
    await join(step);
    return {};
  },

  release: async () => {},
};

/** As QEMU does it: the group's own address is bound, shared with whoever else is in it. */
async function join(step: GroupStep): Promise<void> {
  const { createSocket } = await import('node:dgram');
  await new Promise<void>((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    socket.once('error', (error) => reject(faultOfBind(boundOf(step), step.port, error)));
    socket.bind({ address: step.address, port: step.port, exclusive: true }, () => {
      try {
        socket.addMembership(step.address, step.interface);
        socket.close(() => resolve());
      } catch (error) {
        socket.close(() => reject(faultOfJoin(step, error)));
      }
    });
  });
  await route({ step, socket: createSocket('udp4') });
}

/** An interface that went down keeps its address, and lets groups be joined: that nothing goes out tells. To connect sends nothing. */
async function route({ step, socket }: { readonly step: GroupStep; readonly socket: Socket }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.bind(0, () => {
      try {
        socket.setMulticastInterface(step.interface);
        socket.connect(step.port, step.address, (error?: Error) =>
          socket.close(() => (error === undefined ? resolve() : reject(faultOfJoin(step, error)))),
        );
      } catch (error) {
        socket.close(() => reject(faultOfJoin(step, error)));
      }
    });
  });
}

const boundOf = ({ address }: GroupStep) =>
  ({ protocol: 'udp', address, hint: 'choose another port in group' }) as const;

function faultOfJoin({ address, interface: on }: GroupStep, error: unknown): QrunError {
  const where = `the multicast group ${address}`;
  if (!['ENODEV', 'EADDRNOTAVAIL', 'ENETUNREACH'].includes(errnoOf(error) ?? ''))
    return new QrunError('host-failed', `${where} cannot be joined on ${on}`, {
      cause: error,
      causes: [error instanceof Error ? error.message : String(error)],
    });
  if (on.startsWith('127.'))
    return new QrunError('host-failed', `${where} cannot be joined: the loopback interface is down`, {
      hint: 'sudo ip link set lo up',
    });
  return new QrunError('host-failed', `${where} cannot be joined on ${on}: no interface that is up has this address`, {
    hint: 'ip -br address',
  });
}
