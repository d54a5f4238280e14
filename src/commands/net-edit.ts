import { editNetwork } from '../networks/definitions.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetEditArguments } from './network-arguments.ts';
import { followDefinition } from './tell-autostart.ts';

export const run: Run<NetEditArguments> = async ({ network, force }, context) => {
  const { report } = context;
  const { name, changed, isUp, autostartBefore } = await editNetwork(network, force, launchContext(context));
  report.note(changed ? `${name}: kept` : `${name}: unchanged`);
  if (changed && isUp) report.note(`${name} is up, and stays as it is until it is down`);
  // a text that is kept with its faults says nothing
  if (changed && !force) await followDefinition({ name, before: autostartBefore }, context);
  return 0;
};
