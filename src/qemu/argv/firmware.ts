/** UEFI as two flash chips: the code that nobody writes, and the variables that are this VM's own. */
import type { ArgvInput } from './input.ts';
import { blockdevArgs, fileNode } from './blockdev.ts';

export function firmwareArgs({ uefi }: ArgvInput): string[] {
  if (uefi === undefined) return [];
  return [
    ...chip({ name: 'uefi-code', file: uefi.code, readOnly: true }),
    ...chip({ name: 'uefi-vars', file: uefi.vars, readOnly: false }),
  ];
}

function chip({ name, file, readOnly }: { name: string; file: string; readOnly: boolean }): string[] {
  return [
    ...blockdevArgs(fileNode({ name: `${name}-file`, file, readOnly })),
    ...blockdevArgs({ driver: 'raw', 'node-name': name, 'read-only': readOnly, file: `${name}-file` }),
  ];
}
