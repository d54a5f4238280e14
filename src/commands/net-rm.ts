import { forEachVm } from '../launch/many.ts';
import { removeNetwork } from '../networks/definitions.ts';
import { removeUnit } from '../networks/keep-unit.ts';
import { tellError } from '../report/tell.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetsArguments } from './network-arguments.ts';

export const run: Run<NetsArguments> = async ({ networks }, context) => {
  const { report } = context;
  return await forEachVm(
    networks,
    async (argument) => {
      const { name, file, next } = await removeNetwork(argument, launchContext(context));
      const unit = await removeUnit({ kind: 'net', name, leave: true, over: true }, launchContext(context));
      if (unit !== undefined) report.detail(`removed ${unit.file}`);
      report.note(`${name} is removed${file === undefined ? '' : `: ${file}`}`);
      if (next !== undefined) report.note(`${name} is now what ${next} says`);
      return 0;
    },
    tellError(report),
  );
};
