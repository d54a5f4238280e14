/** The machine itself: type, accelerator, processors, memory. */
import { escapeComma } from '../option.ts';
import type { ArgvInput } from './input.ts';
import { machineFamily } from './machine-family.ts';

export function machineArgs(input: ArgvInput): string[] {
  const { profile, accel } = input;
  const { sockets, cores, threads } = profile.cpus;
  return [
    '-machine',
    machineValue(input),
    '-accel',
    accel,
    '-cpu',
    profile.cpu ?? (accel === 'kvm' ? 'host' : 'max'),
    '-smp',
    `cpus=${sockets * cores * threads},sockets=${sockets},cores=${cores},threads=${threads}`,
    '-m',
    `${profile.memoryMib}M`,
  ];
}

function machineValue({ profile, uefi, display }: ArgvInput): string {
  const family = machineFamily(profile.machine);
  const parts = [escapeComma(profile.machine)];
  // without a screen the BIOS and what it boots speak on the serial line
  if (display === 'none' && (family === 'q35' || family === 'pc')) parts.push('graphics=off');
  if (uefi !== undefined) parts.push('pflash0=uefi-code', 'pflash1=uefi-vars');
  return parts.join(',');
}
