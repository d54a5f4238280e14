import { listNetworkNames, listUpNetworkNames } from '../networks/list.ts';
import type { NoArguments } from './arguments.ts';
import type { Run } from './command.ts';

export const run: Run<NoArguments> = async (_args, context) => {
  const { report, places } = context;
  const up = listUpNetworkNames(places);
  const rows = listNetworkNames(places).map((name) => ({ name, state: up.includes(name) ? 'up' : 'defined' }));
  if (report.json) report.document(rows);
  else {
    report.table(
      rows,
      [
        { title: 'NAME', value: ({ name }) => name },
        { title: 'STATE', value: ({ state }) => state },
      ],
      'no networks yet: qrun net define FILE',
    );
  }
  return 0;
};
