import { forEachVm } from '../launch/many.ts';
import { upNetwork } from '../networks/up.ts';
import { tellError } from '../report/tell.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetsArguments } from './network-arguments.ts';

export const run: Run<NetsArguments> = async ({ networks }, context) => {
  const { report } = context;
  return await forEachVm(
    networks,
    async (argument) => {
      const { network, plan } = await upNetwork(argument, launchContext(context));
      for (const note of plan.notes) report.warn(`${network}: ${note}`);
      report.note(`${network} is up${plan.subnet === undefined ? '' : `: ${plan.subnet}`}`);
      return 0;
    },
    tellError(report),
  );
};
