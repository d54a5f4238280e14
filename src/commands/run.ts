import { QrunError } from '../errors.ts';
import { runForeground } from '../launch/foreground.ts';
import { catchInterruption } from '../launch/interrupt.ts';
import { forEachVm } from '../launch/many.ts';
import { errorOf } from '../launch/lab-errors.ts';
import { loadProfile, prepare, prepareProfile, type LaunchContext, type LaunchOptions } from '../launch/prepare.ts';
import type { Profile } from '../profile/profile.ts';
import { startVm, type Started } from '../launch/start.ts';
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

/** @throws what a start throws, with whose it is */
async function startNamed(profile: Profile, launch: LaunchContext): Promise<Started> {
  try {
    const prepared = await prepareProfile(profile, launch);
    for (const note of prepared.plan.notes) launch.warn(`${profile.name}: ${note}`);
    return await startVm(prepared, launch);
  } catch (error) {
    throw errorOf({ vm: profile, error });
  }
}

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
      const loaded = await loadProfile(profile, options, launch);
      const { record, pid, waiter } = await startNamed(loaded, launch);
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
