/**
 * `transport: vde`: vde_switch with slirpvde as the gateway, of the package vde2. Needs no rights.
 */
import { QrunError } from '../../errors.ts';
import { foreignVmFaults, placeFaults } from './ipv4-only.ts';
import { refusalFaults, withoutRoot, type Refusal } from './refusal.ts';
import type { TransportKind } from './transport-kind.ts';

const refused: readonly Refusal[] = [
  ...withoutRoot,
  { path: ['isolatedPorts'], why: 'its switch lets all guests reach one another' },
];

export const vde: TransportKind = {
  transport: 'vde',
  validate: (look) => [
    ...refusalFaults('vde', look.written, refused),
    ...placeFaults('vde', look),
    ...foreignVmFaults(look),
  ],
  plan: ({ network }) => {
    throw new QrunError('not-implemented', `network ${network.name}: transport vde`);
  },
};
