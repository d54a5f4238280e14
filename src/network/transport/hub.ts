/** `transport: hub`: qrun's own small switch. Each guest's QEMU is a port of it. Needs no rights and no other package. */
import { planSwitched, switchedFaults } from './switched.ts';
import type { TransportKind } from './transport-kind.ts';

export const hub: TransportKind = {
  transport: 'hub',
  validate: (look) => switchedFaults('hub', look),
  plan: (context) =>
    planSwitched(context, {
      attach: { by: 'socket-directory', directory: context.input.files.ports },
      programs: [],
      awaits: [],
    }),
};
