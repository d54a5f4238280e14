import { listMacs } from '../networks/macs.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';
import type { NetArguments } from './network-arguments.ts';

export const run: Run<NetArguments> = async ({ network }, context) => {
  const { report } = context;
  const macs = await listMacs(network, launchContext(context));
  if (report.json) {
    report.document(macs);
    return 0;
  }
  report.table(
    macs,
    [
      { title: 'MAC', value: ({ mac }) => mac },
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'IP', value: ({ ip }) => ip ?? undefined },
      { title: 'VM', value: ({ vm, nic }) => (vm === null ? undefined : `${vm}${nic === null ? '' : ` ${nic}`}`) },
      { title: 'DEVICE', value: ({ device }) => device ?? undefined },
      { title: 'NAME', value: ({ name }) => name ?? undefined },
      { title: 'ON IT', value: ({ joined }) => (joined ? 'yes' : 'no') },
    ],
    `${network} knows no MAC`,
  );
  return 0;
};
