/** What sets a virtual function of a network card, by way of its physical one. Pure. */
import type { VfioStep } from './step.ts';

type VfSetting = Pick<NonNullable<VfioStep['vf']>, 'parent' | 'index' | 'mac' | 'vlan'>;

export const vfCommand = ({ parent, index, mac, vlan }: VfSetting): string[] => [
  ...['ip', 'link', 'set', 'dev', parent, 'vf', String(index), 'mac', mac],
  ...(vlan === undefined ? [] : ['vlan', String(vlan)]),
];

/** What sets it back: the VLAN only if it was set. */
export const vfUndoCommand = ({ parent, index, vlan, before }: NonNullable<VfioStep['vf']>): string[] =>
  vfCommand({ parent, index, mac: before.mac, ...(vlan !== undefined && { vlan: before.vlan }) });
