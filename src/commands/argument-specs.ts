/** Descriptions of arguments that several commands share. */
import type { ValueKind } from './command.ts';

export const profile = { as: 'positional', label: 'NAME', values: 'profile' } as const;
export const vm = { as: 'positional', type: 'string', label: 'NAME', values: 'running', required: true } as const;
export const vms = { ...vm, type: 'strings' } as const;
export const network = { as: 'positional', type: 'string', label: 'NAME', values: 'network', required: true } as const;
export const networks = { ...network, type: 'strings' } as const;

export const flag = (summary: string) => ({ as: 'option', type: 'boolean', summary }) as const;
export const value = (label: string, summary: string, values: ValueKind = 'text') =>
  ({ as: 'option', type: 'string', label, summary, values }) as const;
export const number = (label: string, summary: string) => ({ as: 'option', type: 'number', label, summary }) as const;

export const qemuArgs = {
  as: 'rest',
  type: 'strings',
  label: 'QEMU-ARGS',
  summary: 'handed to QEMU as they are',
} as const;
export const asName = value('NAME', "the VM's name, when it is not the profile's: one profile, many VMs");
export const ephemeral = flag('leave the disks as they are: what the guest writes is gone at its end');
