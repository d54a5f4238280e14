import { listNetworkRows } from '../networks/list.ts';
import type { NoArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<NoArguments> = async (_args, context) => {
  const { report } = context;
  const rows = await listNetworkRows(launchContext(context));
  if (report.json) {
    report.document(rows);
    return 0;
  }
  report.table(
    rows,
    [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'STATE', value: ({ state, fault }) => (fault === null ? state : `${state}, faulty`) },
      { title: 'SCOPE', value: ({ scope }) => scope ?? undefined },
      { title: 'FORWARD', value: ({ forward }) => forward ?? undefined },
      { title: 'TRANSPORT', value: ({ transport }) => transport ?? undefined },
      { title: 'SUBNET', value: ({ subnet }) => subnet ?? undefined },
      { title: 'VMS', value: ({ vms }) => vms.length, align: 'right' },
      { title: 'AUTOSTART', value: ({ autostart }) => (autostart ? 'yes' : 'no') },
      {
        title: 'DEFINITION',
        value: ({ file, example }) => (file === null ? undefined : `${file}${example ? ' (example)' : ''}`),
      },
    ],
    'no networks yet: qrun net define FILE',
  );
  return 0;
};
