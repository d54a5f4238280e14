import { autostartVm, dropAutostartOf } from '../launch/autostart.ts';
import type { AutostartArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import { tellStarts, tellStartsNoMore } from './tell-autostart.ts';

export const run: Run<AutostartArguments> = async ({ profile, off }, context) => {
  const { report } = context;
  const launch = launchContext(context);
  const unit = off ? await dropAutostartOf(profile, launch) : await autostartVm(profile, launch);
  if (off || unit === undefined) tellStartsNoMore(profile, unit, context);
  else tellStarts(unit, `qrun run -d ${profile}`, context);
  if (report.json) report.document({ name: profile, autostart: !off, file: unit?.file ?? null });
  return 0;
};
