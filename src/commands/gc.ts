import { QrunError } from '../errors.ts';
import { collect } from '../launch/collect.ts';
import { collectLinks } from '../launch/lost-links.ts';
import { collectNetworks } from '../networks/collect.ts';
import { isKnownVm } from '../launch/vms.ts';
import { parseVmName, type VmName } from '../names.ts';
import { isKnownNetwork } from '../networks/names.ts';
import type { GcArguments } from './arguments.ts';
import type { CommandContext, Run } from './command.ts';
import { launchContext } from './launch-context.ts';

interface Found {
  readonly vm?: string;
  readonly network?: string;
  readonly link?: string;
  readonly what: string;
  readonly state: 'removed' | 'would-remove' | 'left';
  readonly why?: string;
}

export const run: Run<GcArguments> = async ({ vm, dryRun }, context) => {
  const { report } = context;
  const only = vm === undefined ? undefined : requireName(vm, context);
  const launch = launchContext(context);
  // VMs first: a dead one may be all that holds a network up
  const found: Found[] = [...(await collect(launch, only, dryRun)), ...(await collectNetworks(launch, only, dryRun))];
  // what is nobody's any more, when all that is somebody's is given back
  if (only === undefined) found.push(...(await collectLinks(launch, dryRun)));
  if (report.json) report.document(found);
  else {
    report.table(
      found,
      [
        {
          title: 'OF',
          value: (one) => one.vm ?? (one.link === undefined ? `network ${one.network}` : `link ${one.link}`),
        },
        { title: 'WHAT', value: (one) => one.what },
        { title: 'STATE', value: (one) => one.state },
        { title: 'WHY', value: (one) => one.why },
      ],
      'nothing was left behind',
    );
  }
  return found.some(({ state }) => state === 'left') ? 5 : 0;
};

/** A VM's or a network's. @throws QrunError `unknown-name` */
function requireName(written: string, { places }: CommandContext): VmName {
  const name = parseVmName(written);
  if (isKnownVm(name, places) || isKnownNetwork(name, places)) return name;
  throw new QrunError('unknown-name', `there is no VM and no network ${name}`, {
    hint: 'qrun ls, and for networks: qrun net ls',
  });
}
