import { listRunning, runningDocument } from '../launch/vms.ts';
import { renderForwards, sinceOf } from '../report/vm.ts';
import type { NoArguments } from './arguments.ts';
import type { Run } from './command.ts';

export const run: Run<NoArguments> = async (_args, context) => {
  const { report } = context;
  const vms = listRunning(context);
  if (report.json) {
    report.document(
      vms.map(({ vm, record, pid, state }) =>
        record === undefined
          ? { vm, pid, state, startedAt: null, accel: null, qmp: null, nics: [] }
          : runningDocument(record, pid ?? 0, state),
      ),
    );
    return 0;
  }
  report.table(
    vms,
    [
      { title: 'NAME', value: ({ vm }) => vm },
      { title: 'PID', value: ({ pid }) => pid, align: 'right' },
      { title: 'STATE', value: ({ state }) => state },
      { title: 'SINCE', value: ({ record }) => (record === undefined ? undefined : sinceOf(record.startedAt)) },
      { title: 'ACCEL', value: ({ record }) => record?.accel },
      { title: 'NICS', value: ({ record }) => record?.nics.map(({ id, kind }) => `${id}:${kind}`).join(' ') },
      {
        title: 'FORWARDS',
        value: ({ record }) =>
          record?.nics
            .map(({ forwards }) => renderForwards(forwards ?? []))
            .filter((text) => text !== '')
            .join(' '),
      },
    ],
    'no VM runs',
  );
  return 0;
};
