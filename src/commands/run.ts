import { QrunError } from '../errors.ts';
import { runForeground } from '../launch/foreground.ts';
import { catchInterruption } from '../launch/interrupt.ts';
import { forEachVm } from '../launch/many.ts';
import { prepare, type LaunchOptions } from '../launch/prepare.ts';
import { startVm } from '../launch/start.ts';
import { describeNic, runningDocument } from '../launch/vms.ts';
import { tellError } from '../report/tell.ts';
import { ownTerminal } from '../system/terminal.ts';
import type { RunArguments } from './arguments.ts';
import type { CommandContext, Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<RunArguments> = async (args, context) => {
  const { profiles, name } = args;
  if (name !== undefined && profiles.length > 1)
    throw new QrunError('usage', '--name goes with one profile only', { hint: 'qrun run PROFILE --name NAME' });
  const options: LaunchOptions = {
    args: args.qemuArgs,
    ...(args.ephemeral && { ephemeral: true }),
    ...(name !== undefined && { name }),
  };
  const [only] = profiles;
  if (profiles.length > 1 || args.detach || only === undefined) return await runDetached(profiles, options, context);
  const launch = launchContext(context);
  const prepared = await prepare(only, options, launch);
  for (const note of prepared.plan.notes) context.report.warn(note);
  return await runForeground(prepared, { ...launch, note: context.report.note, terminal: ownTerminal() });
};

async function runDetached(
  profiles: readonly string[],
  options: LaunchOptions,
  context: CommandContext,
): Promise<number> {
  const { report } = context;
  const interruption = catchInterruption();
  const launch = { ...launchContext(context), interrupted: interruption.signal };
  const started: unknown[] = [];
  const status = await forEachVm(
    profiles,
    async (profile) => {
      const prepared = await prepare(profile, options, launch);
      for (const note of prepared.plan.notes) report.warn(`${prepared.profile.name}: ${note}`);
      const { record, pid, waiter } = await startVm(prepared, launch);
      waiter.process.forget();
      started.push(
        runningDocument(record, {
          pid,
          state: record.startsPaused ? 'paused' : 'running',
          nics: record.nics.map((nic) => describeNic(nic, [])),
        }),
      );
      report.note(`${record.vm} runs, pid ${pid}`);
      return 0;
    },
    tellError(report),
  );
  if (report.json) report.document(started);
  return status;
}
