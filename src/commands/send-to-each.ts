import { forEachVm } from '../launch/many.ts';
import { sendCommand } from '../launch/monitor-of.ts';
import { tellError } from '../report/tell.ts';
import type { CommandContext } from './command.ts';

/** One QMP command without arguments to each of these VMs. */
export async function sendToEach(vms: readonly string[], command: string, context: CommandContext): Promise<number> {
  return await forEachVm(
    vms,
    async (vm) => {
      await sendCommand(vm, command, context);
      return 0;
    },
    tellError(context.report),
  );
}
