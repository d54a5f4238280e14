import { QrunError } from '../errors.ts';
import { readLogs, showLogs } from '../launch/logs-of.ts';
import { describeEnd, lastRunOf } from '../launch/run-record.ts';
import { ownTerminal } from '../system/terminal.ts';
import type { LogsArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<LogsArguments> = async (args, context) => {
  const { report } = context;
  if (args.lines !== undefined && !Number.isInteger(args.lines))
    throw new QrunError('usage', 'qrun logs: --lines wants a whole number', { hint: `qrun logs ${args.vm} -n 20` });
  if (report.json) {
    const { end, ...told } = readLogs(args, launchContext(context));
    report.document({ ...told, lastRun: lastRunOf(end) });
    return 0;
  }
  const end = await showLogs(args, { ...launchContext(context), terminal: ownTerminal() });
  if (end !== undefined) report.note(`${args.vm}: ${describeEnd(end)}`);
  return 0;
};
