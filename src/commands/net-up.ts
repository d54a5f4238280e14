import { forEachVm } from '../launch/many.ts';
import { startsWithHost } from '../networks/autostart.ts';
import { writeOneLine } from '../networks/one-line.ts';
import { upNetwork } from '../networks/up.ts';
import { tellError } from '../report/tell.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetUpArguments } from './network-arguments.ts';

export const run: Run<NetUpArguments> = async ({ networks, ...oneLine }, context) => {
  const { report } = context;
  const launch = launchContext(context);
  const spot = writeOneLine(networks, oneLine, launch);
  try {
    return await forEachVm(
      spot === undefined ? networks : [spot.file],
      async (argument) => {
        const { network, plan, definition } = await upNetwork(argument, launch);
        for (const note of plan.notes) report.warn(`${network}: ${note}`);
        report.note(`${network} is up${plan.subnet === undefined ? '' : `: ${plan.subnet}`}`);
        if (definition.autostart && !startsWithHost({ name: network, scope: plan.scope }, launch))
          report.note(`its definition says autostart: true, and nothing starts it: qrun net autostart ${network}`);
        return 0;
      },
      tellError(report),
    );
  } finally {
    spot?.tidy();
  }
};
