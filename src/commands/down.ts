import { labDown } from '../launch/lab-down.ts';
import { titleOf } from '../launch/lab-networks.ts';
import { readTargets } from '../launch/lab-targets.ts';
import { tellError } from '../report/tell.ts';
import type { LabArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<LabArguments> = async ({ targets, timeout }, context) => {
  const { report } = context;
  const lab = await readTargets(targets, context);
  const rows = report.progressList([
    ...lab.vms.map(({ name }) => name),
    ...lab.networks.map(({ name }) => titleOf(name)),
  ]);
  try {
    const { status, vms, networks } = await labDown(lab, {
      ...launchContext(context),
      warn: (message) => rows.above(() => report.warn(message)),
      tell: rows.set,
      tellError: (error) => rows.above(() => tellError(report)(error)),
      ...(timeout !== undefined && { timeoutS: timeout }),
    });
    if (report.json) report.document({ vms, networks });
    return status;
  } finally {
    rows.done();
  }
};
