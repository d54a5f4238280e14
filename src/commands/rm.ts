import { forEachVm } from '../launch/many.ts';
import { forgetVm } from '../launch/forget.ts';
import { removeUnit } from '../networks/keep-unit.ts';
import { tellError } from '../report/tell.ts';
import type { RmArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<RmArguments> = async ({ vms, disks }, context) => {
  const { report } = context;
  return await forEachVm(
    vms,
    async (name) => {
      const { removed } = await forgetVm(name, disks, launchContext(context));
      const unit = await removeUnit({ kind: 'vm', name, leave: true, over: true }, launchContext(context));
      for (const one of [...removed, ...(unit === undefined ? [] : [unit.file])]) report.detail(`removed ${one}`);
      report.note(`${name} is forgotten`);
      return 0;
    },
    tellError(report),
  );
};
