import { QrunError } from '../errors.ts';
import { forEachVm } from '../launch/many.ts';
import { stopVm } from '../launch/stop-vm.ts';
import { requireKnown } from '../launch/vms.ts';
import { tellError } from '../report/tell.ts';
import type { StopArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<StopArguments> = async ({ vms, timeout }, context) => {
  if (timeout !== undefined && !(timeout >= 0))
    throw new QrunError('usage', '--timeout takes a number of seconds', { hint: 'qrun stop NAME --timeout 30' });
  const { report } = context;
  const progress = report.progress(`stopping ${vms.join(' ')}`);
  try {
    return await forEachVm(
      vms,
      async (name) => {
        const vm = requireKnown(context, name);
        const ran = await stopVm(vm, launchContext(context), {
          from: 'power-down',
          ...(timeout !== undefined && { timeoutS: timeout }),
          onProgress: (rung, elapsedMs) => progress.update(`${vm}: ${rung}, ${Math.round(elapsedMs / 1000)} s`),
        });
        report.note(ran ? `${vm} stopped` : `${vm} did not run`);
        return 0;
      },
      tellError(report),
    );
  } finally {
    progress.done();
  }
};
