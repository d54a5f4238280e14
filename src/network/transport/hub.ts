/**
 * `transport: hub`: qrun's own small switch, with a QEMU without a guest (slirp) as the gateway. Needs no rights and no other package.
 */
import { foreignVmFaults, placeFaults } from './ipv4-only.ts';
import { refusalFaults, withoutRoot, type Refusal } from './refusal.ts';
import type { TransportKind } from './transport-kind.ts';

const refused: readonly Refusal[] = [
  ...withoutRoot,
  { path: ['isolatedPorts'], why: 'its switch lets all guests reach one another' },
  { path: ['dhcp', 'server'], why: 'its switch answers DHCP itself', unless: 'auto' },
];

export const hub: TransportKind = {
  transport: 'hub',
  validate: (look) => [
    ...refusalFaults('hub', look.written, refused),
    ...placeFaults('hub', look),
    ...foreignVmFaults(look),
  ],
};
