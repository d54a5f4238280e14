import { runMonitor } from '../launch/monitor-of.ts';
import type { MonitorArguments } from './arguments.ts';
import type { Run } from './command.ts';

export const run: Run<MonitorArguments> = async ({ vm, command }, context) => {
  await runMonitor(vm, command, { ...context, out: context.report.out });
  return 0;
};
