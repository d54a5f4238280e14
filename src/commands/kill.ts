import { forEachVm } from '../launch/many.ts';
import { stopVm } from '../launch/stop-vm.ts';
import { requireKnown } from '../launch/vms.ts';
import { tellError } from '../report/tell.ts';
import type { VmsArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<VmsArguments> = async ({ vms }, context) => {
  const { report } = context;
  return await forEachVm(
    vms,
    async (name) => {
      const vm = requireKnown(context, name);
      const ran = await stopVm(vm, launchContext(context), { from: 'kill' });
      report.note(ran ? `${vm} killed` : `${vm} did not run`);
      return 0;
    },
    tellError(report),
  );
};
