import { QrunError } from '../errors.ts';
import { parseNetworkName } from '../names.ts';
import { addForwards, listForwards, removeForwards } from '../networks/forwards.ts';
import { forwardRows, renderForward } from '../report/network-info.ts';
import type { CommandContext, Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetForwardArguments } from './network-arguments.ts';

export const run: Run<NetForwardArguments> = async (args, context) => {
  const name = parseNetworkName(args.network);
  const { report } = context;
  if (args.rules.length === 0) return await list(args, context);
  const launch = launchContext(context);
  const changed = args.remove
    ? await removeForwards(name, args.rules, launch)
    : await addForwards(name, args.rules, launch);
  for (const forward of changed) report.note(`${renderForward(forward)}${args.remove ? ' is no more' : ''}`);
  if (report.json) report.document(await listForwards(name, launch));
  return 0;
};

async function list({ network, remove }: NetForwardArguments, context: CommandContext): Promise<number> {
  if (remove)
    throw new QrunError('usage', '--remove needs a RULE or a HOSTPORT', { hint: `qrun net forward ${network}` });
  const { report } = context;
  const forwards = await listForwards(parseNetworkName(network), launchContext(context));
  if (report.json) report.document(forwards);
  else report.table(forwards, forwardRows, `${network} has no forwards`);
  return 0;
}
