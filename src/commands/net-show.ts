import { describeStep } from '../launch/describe.ts';
import { planOfNetwork } from '../networks/up.ts';
import { networkShowDocument, renderNetworkPlan } from '../report/network-plan.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetArguments } from './network-arguments.ts';

export const run: Run<NetArguments> = async ({ network }, context) => {
  const { report } = context;
  const plan = await planOfNetwork(network, launchContext(context));
  if (report.json) report.document(networkShowDocument(plan, describeStep));
  else report.out(renderNetworkPlan(plan, describeStep, report.styles.stdout));
  return 0;
};
