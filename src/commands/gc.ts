import { collect } from '../launch/collect.ts';
import { parseVmName } from '../names.ts';
import type { GcArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<GcArguments> = async ({ vm, dryRun }, context) => {
  const { report } = context;
  const found = await collect(launchContext(context), vm === undefined ? undefined : parseVmName(vm), dryRun);
  if (report.json) report.document(found);
  else {
    report.table(
      found,
      [
        { title: 'VM', value: (one) => one.vm },
        { title: 'WHAT', value: (one) => one.what },
        { title: 'STATE', value: (one) => one.state },
        { title: 'WHY', value: (one) => one.why },
      ],
      'nothing was left behind',
    );
  }
  return found.some(({ state }) => state === 'left') ? 5 : 0;
};
