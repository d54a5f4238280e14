import { describeNicsNow } from '../launch/nics-now.ts';
import { listRunning, runningDocument, type NicDocument, type Vm } from '../launch/vms.ts';
import { lostInWords, renderForwards, sinceOf, startAnew } from '../report/vm.ts';
import type { NoArguments } from './arguments.ts';
import type { Run } from './command.ts';

interface PsVm extends Vm {
  readonly nics: readonly NicDocument[];
}

export const run: Run<NoArguments> = async (_args, context) => {
  const { report } = context;
  const vms: PsVm[] = [];
  for (const vm of listRunning(context)) {
    vms.push({ ...vm, nics: await describeNicsNow(vm.vm, vm.record?.nics ?? [], { ...context, pid: vm.pid }) });
  }
  if (report.json) {
    report.document(
      vms.map(({ vm, record, pid, state, nics }) =>
        record === undefined
          ? { vm, pid, state, startedAt: null, accel: null, qmp: null, nics: [] }
          : runningDocument(record, { pid: pid ?? 0, state, nics }),
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
      { title: 'NICS', value: ({ nics }) => nics.map(nicWord).join(' ') },
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
  const lost = vms.flatMap(({ vm, nics }) => nics.filter(({ link }) => link === 'lost').map((nic) => ({ vm, nic })));
  for (const { vm, nic } of lost) report.note(`${vm}: ${nic.id}: ${lostInWords(nic)}`);
  const cut = [...new Set(lost.map(({ vm }) => vm))];
  if (cut.length > 0) report.note(startAnew(cut));
  return 0;
};

const nicWord = ({ id, kind, link }: NicDocument): string => `${id}:${kind}${link === undefined ? '' : ` (${link})`}`;
