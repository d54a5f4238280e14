import { parseNetworkName } from '../names.ts';
import { listLeases } from '../networks/leases.ts';
import { sinceOf } from '../report/vm.ts';
import type { Run } from './command.ts';
import type { NetArguments } from './network-arguments.ts';

export const run: Run<NetArguments> = async ({ network }, context) => {
  const { report } = context;
  const leases = await listLeases(parseNetworkName(network), context);
  if (report.json) {
    report.document(leases);
    return 0;
  }
  report.table(
    leases,
    [
      { title: 'MAC', value: ({ mac }) => mac ?? undefined },
      { title: 'IP', value: ({ ip }) => ip },
      { title: 'VM', value: ({ vm, nic }) => (vm === null ? undefined : `${vm}${nic === null ? '' : ` ${nic}`}`) },
      { title: 'HOST NAME', value: ({ hostName }) => hostName ?? undefined },
      {
        title: 'EXPIRES',
        value: ({ expires, fixed }) => (expires === null ? (fixed ? 'fixed' : 'never') : sinceOf(expires)),
      },
    ],
    `${network} has handed out no address`,
  );
  return 0;
};
