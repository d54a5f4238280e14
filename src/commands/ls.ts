import { listProfiles } from '../host/profile-files.ts';
import { startsByItself, unitPlacesOf } from '../host/units.ts';
import { describeEnd, lastRunOf } from '../launch/run-record.ts';
import { listVmNames, readVm, type Vm } from '../launch/vms.ts';
import type { VmName } from '../names.ts';
import type { NoArguments } from './arguments.ts';
import type { Run } from './command.ts';

interface Row {
  readonly name: string;
  readonly vm: Vm;
  readonly file?: string;
  readonly example: boolean;
}

export const run: Run<NoArguments> = async (_args, context) => {
  const { report, places, system } = context;
  const units = unitPlacesOf(system);
  const starts = ({ name }: Row): boolean => startsByItself({ kind: 'vm', name, state: places.state }, units);
  const profiles = listProfiles(places);
  const named = new Set<string>(profiles.map(({ name }) => name));
  const others = listVmNames(places).filter((name) => !named.has(name));
  const rows: Row[] = [
    ...profiles.map(({ name, file, example }) => ({ name, file, example, vm: readVm(context, name) })),
    // without a profile and without a run there is nothing to tell of one: an address that a dry run reserved
    ...others
      .map((name: VmName) => ({ name, example: false, vm: readVm(context, name) }))
      .filter(({ vm }) => vm.pid !== undefined || vm.end !== undefined),
  ];
  if (report.json) report.document(rows.map((row) => ({ ...document(row), autostart: starts(row) })));
  else {
    report.table(
      rows,
      [
        { title: 'NAME', value: ({ name }) => name },
        { title: 'STATE', value: ({ vm }) => vm.state },
        { title: 'PID', value: ({ vm }) => vm.pid, align: 'right' },
        {
          title: 'LAST RUN',
          value: ({ vm }) => (vm.pid === undefined && vm.end !== undefined ? describeEnd(vm.end) : undefined),
        },
        { title: 'AUTOSTART', value: (row) => (starts(row) ? 'yes' : 'no') },
        {
          title: 'PROFILE',
          value: ({ file, example }) => (file === undefined ? undefined : `${file}${example ? ' (example)' : ''}`),
        },
      ],
      'no profiles yet: qrun new NAME',
    );
  }
  return 0;
};

function document({ name, file, example, vm }: Row): Record<string, unknown> {
  return {
    name,
    file: file ?? null,
    example,
    state: vm.state,
    pid: vm.pid ?? null,
    lastRun: lastRunOf(vm.end),
  };
}
