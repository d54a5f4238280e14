import { describeStep } from '../launch/describe.ts';
import { prepareForShell } from '../launch/prepare-for-shell.ts';
import { prepare } from '../launch/prepare.ts';
import { renderPlan } from '../report/plan.ts';
import { planDocument } from '../report/plan-json.ts';
import { renderShell } from '../report/shell.ts';
import type { ShowArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<ShowArguments> = async (args, context) => {
  const { report } = context;
  const launch = launchContext(context);
  const options = {
    args: args.qemuArgs,
    ...(args.ephemeral && { ephemeral: true }),
    ...(args.name !== undefined && { name: args.name }),
  };
  if (args.shell && !report.json) {
    const { plan, scripts } = await prepareForShell(args.profile, options, launch);
    report.out(renderShell(plan, describeStep, scripts));
    return 0;
  }
  const { plan } = await prepare(args.profile, { ...options, shows: true }, launch);
  if (report.json) report.document(planDocument(plan, describeStep));
  else report.out(renderPlan(plan, describeStep, report.styles.stdout));
  return 0;
};
