import { readVm } from '../launch/vms.ts';
import { readNetworkInfo } from '../networks/info.ts';
import { renderNetworkInfo } from '../report/network-info.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetArguments } from './network-arguments.ts';

export const run: Run<NetArguments> = async ({ network }, context) => {
  const { report } = context;
  const info = await readNetworkInfo(network, {
    ...launchContext(context),
    stateOf: (vm) => readVm(context, vm).state,
  });
  if (report.json) report.document(info);
  else report.out(renderNetworkInfo(info, report.styles.stdout));
  return 0;
};
