/** Direct boot of a kernel of the host's. These options take their value literally: there is nothing to escape. */
import type { ArgvInput } from './input.ts';

export function kernelArgs({ profile: { kernel, initrd, append } }: ArgvInput): string[] {
  if (kernel === undefined) return [];
  return [
    '-kernel',
    kernel,
    ...(initrd === undefined ? [] : ['-initrd', initrd]),
    ...(append === undefined ? [] : ['-append', append]),
  ];
}
