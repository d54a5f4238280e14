import { forEachVm } from '../launch/many.ts';
import type { startsWithHost as StartsWithHost } from '../networks/autostart.ts';
import type { Network } from '../network/network.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import { upNetwork } from '../networks/up.ts';
import { tellError } from '../report/tell.ts';
import { parseInterfaceAddress } from '../subnet.ts';
import type { CommandContext, Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetUpArguments } from './network-arguments.ts';

export const run: Run<NetUpArguments> = async ({ networks, ...oneLine }, context) => {
  const { report } = context;
  const launch = launchContext(context);
  // what most ups do without is loaded for those that need it
  const spot = Object.values(oneLine).every(isUnsaid)
    ? undefined
    : await (
        await import('../networks/one-line.ts')
      ).writeOneLine(networks, oneLine, { ...launch, groupOfSetup: () => groupOfSetup(launch) });
  const tell = tellError(report);
  try {
    return await forEachVm(
      spot === undefined ? networks : [spot.file],
      async (argument) => {
        const { network, plan, definition } = await upNetwork(argument, launch, spot);
        for (const note of plan.notes) report.warn(`${network}: ${note}`);
        report.note(
          [`${network} is up`, subnetsOf(plan, definition).join(', ')].filter((part) => part !== '').join(': '),
        );
        if (spot?.note !== undefined) report.note(spot.note);
        if (definition.autostart && !(await startsByItself({ name: network, scope: plan.scope }, launch)))
          report.note(`its definition says autostart: true, and nothing starts it: qrun net autostart ${network}`);
        return 0;
      },
      (error) => tell(spot === undefined ? error : spot.asSaid(error)),
    );
  } finally {
    spot?.tidy();
  }
};

/** That of IPv4, be it that it follows from the name, and all others that are written. */
function subnetsOf({ subnet }: NetworkPlan, { addresses }: Network): string[] {
  if (subnet === undefined) return [];
  return [...new Set([subnet, ...addresses.flatMap((one) => parseInterfaceAddress(one)?.subnet.cidr ?? [])])];
}

const isUnsaid = (value: unknown): boolean =>
  value === undefined || value === false || (Array.isArray(value) && value.length === 0);

const groupOfSetup = async ({ places }: Pick<CommandContext, 'places'>): Promise<string | undefined> =>
  (await import('../setup/group-of-setup.ts')).groupOfSetup(places);

const startsByItself = async (...network: Parameters<typeof StartsWithHost>): Promise<boolean> =>
  (await import('../networks/autostart.ts')).startsWithHost(...network);
