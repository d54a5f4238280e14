import { defineNetwork } from '../networks/definitions.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetDefineArguments } from './network-arguments.ts';
import { followDefinition } from './tell-autostart.ts';

export const run: Run<NetDefineArguments> = async (args, context) => {
  const { report } = context;
  const { autostartBefore, ...defined } = await defineNetwork(args, launchContext(context));
  const { name, file, changed, isUp } = defined;
  report.note(changed ? `wrote ${file}; a NIC on it: network:${name}` : `${file}: unchanged`);
  if (changed && isUp) report.note(`${name} is up, and stays as it is until it is down`);
  await followDefinition({ name, before: autostartBefore }, context);
  if (report.json) report.document(defined);
  return 0;
};
