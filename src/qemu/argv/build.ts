/** The whole command line, in a fixed order: what is pinned to an address comes before what QEMU places itself. */
import { baseArgs } from './base.ts';
import { bootIndexes } from './boot.ts';
import { cdromArgs } from './cdrom.ts';
import { consoleArgs } from './console.ts';
import { diskArgs } from './disks.ts';
import { displayArgs } from './display.ts';
import { firmwareArgs } from './firmware.ts';
import type { ArgvInput } from './input.ts';
import { kernelArgs } from './kernel.ts';
import { machineArgs } from './machine.ts';
import { monitorArgs } from './monitor.ts';
import { nicArgs } from './nics.ts';
import { planSandbox } from './sandbox.ts';

export type { ArgvDisk, ArgvImage, ArgvInput, ArgvNic } from './input.ts';

/**
 * The arguments after the binary. Pure.
 * @throws QrunError `missing-feature`, `invalid-profile` for what this machine or this QEMU cannot have
 */
export function buildArgv(input: ArgvInput): string[] {
  const indexes = bootIndexes(input);
  return [
    ...baseArgs(input),
    ...planSandbox(input).args,
    ...machineArgs(input),
    ...firmwareArgs(input),
    ...kernelArgs(input),
    ...displayArgs(input),
    ...monitorArgs(input),
    ...consoleArgs(input),
    ...diskArgs(input, indexes),
    ...cdromArgs(input, indexes),
    ...nicArgs(input, indexes),
    ...input.extraArgs,
  ];
}
