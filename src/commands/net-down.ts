import { forEachVm } from '../launch/many.ts';
import { downNetwork } from '../networks/down.ts';
import { tellError } from '../report/tell.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetDownArguments } from './network-arguments.ts';

export const run: Run<NetDownArguments> = async ({ networks, force }, context) => {
  const { report } = context;
  return await forEachVm(
    networks,
    async (argument) => {
      const { name, wasUp } = await downNetwork(argument, force, launchContext(context));
      report.note(wasUp ? `${name} is down` : `${name} was not up`);
      return 0;
    },
    tellError(report),
  );
};
