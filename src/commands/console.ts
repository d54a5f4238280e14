import { attachTo } from '../launch/attach.ts';
import { ownTerminal } from '../system/terminal.ts';
import type { VmArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<VmArguments> = async ({ vm }, context) =>
  await attachTo(vm, { ...launchContext(context), note: context.report.note, terminal: ownTerminal() });
