import { autostartNetwork, dropAutostartOf } from '../networks/autostart.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetAutostartArguments } from './network-arguments.ts';
import { tellStarts, tellStartsNoMore } from './tell-autostart.ts';

export const run: Run<NetAutostartArguments> = async ({ network, off }, context) => {
  const { report } = context;
  const launch = launchContext(context);
  const unit = off ? await dropAutostartOf(network, launch) : await autostartNetwork(network, launch);
  if (off || unit === undefined) tellStartsNoMore(network, unit, context);
  else tellStarts(unit, context);
  if (report.json) report.document({ name: network, autostart: !off, file: unit?.file ?? null });
  return 0;
};
