import { planAliases } from '../launch/aliases.ts';
import { describeSkipped, renderAliases } from '../report/alias.ts';
import type { AliasArguments } from './arguments.ts';
import type { Run } from './command.ts';

export const run: Run<AliasArguments> = async ({ shell }, context) => {
  const { report } = context;
  const planned = planAliases(shell, context);
  if (report.json) {
    report.document(planned);
    return 0;
  }
  report.out(renderAliases(planned));
  // nobody wants to hear of the package's own examples whenever a shell starts
  for (const one of planned.skipped) (one.example ? report.detail : report.note)(`qrun alias: ${describeSkipped(one)}`);
  return 0;
};
