import { nicsOfVm } from '../launch/nics-of.ts';
import { renderForwards } from '../report/vm.ts';
import type { VmArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<VmArguments> = async ({ vm }, context) => {
  const { report } = context;
  const nics = await nicsOfVm(vm, launchContext(context));
  if (report.json) {
    report.document(nics);
    return 0;
  }
  report.table(
    nics,
    [
      { title: 'ID', value: ({ id }) => id },
      { title: 'KIND', value: ({ kind, link }) => (link === undefined ? kind : `${kind} (${link})`) },
      { title: 'INTERFACE', value: ({ hostInterface }) => hostInterface ?? undefined },
      { title: 'SOURCE', value: ({ source }) => source },
      { title: 'MODEL', value: ({ model }) => model },
      { title: 'MAC', value: ({ mac }) => mac },
      { title: 'IPS', value: ({ ips }) => ips.join(' ') },
      { title: 'FORWARDS', value: ({ forwards }) => renderForwards(forwards ?? []) },
    ],
    `${vm} has no network interfaces`,
  );
  return 0;
};
