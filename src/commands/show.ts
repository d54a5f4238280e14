import { prepare } from '../launch/prepare.ts';
import { renderPlan } from '../report/plan.ts';
import { planDocument } from '../report/plan-json.ts';
import { renderShell } from '../report/shell.ts';
import { resourceOf } from '../resources/registry.ts';
import type { Step } from '../plan/step.ts';
import type { ShowArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

const describe = (step: Step) => resourceOf(step).describe(step);

export const run: Run<ShowArguments> = async (args, context) => {
  const { report } = context;
  const { plan } = await prepare(
    args.profile,
    {
      args: args.qemuArgs,
      ...(args.ephemeral && { ephemeral: true }),
      ...(args.name !== undefined && { name: args.name }),
    },
    launchContext(context),
  );
  if (report.json) report.document(planDocument(plan, describe));
  else if (args.shell) report.out(renderShell(plan, describe));
  else report.out(renderPlan(plan, describe, report.styles.stdout));
  return 0;
};
