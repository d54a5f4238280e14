import { autostartVm, dropAutostartOf } from '../launch/autostart.ts';
import { readVm } from '../launch/vms.ts';
import { parseVmName } from '../names.ts';
import type { AutostartArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import { tellStarts, tellStartsNoMore } from './tell-autostart.ts';

export const run: Run<AutostartArguments> = async ({ profile, off }, context) => {
  const { report } = context;
  const launch = launchContext(context);
  const unit = off ? await dropAutostartOf(profile, launch) : await autostartVm(profile, launch);
  if (off || unit === undefined) tellStartsNoMore(profile, unit, context);
  else tellStarts(unit, context);
  if (off && unit !== undefined && readVm(context, parseVmName(profile)).pid !== undefined)
    report.note(`${profile} runs, and systemd will not power it down with the host: qrun stop ${profile}`);
  if (report.json) report.document({ name: profile, autostart: !off, file: unit?.file ?? null });
  return 0;
};
