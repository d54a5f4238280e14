import { catchInterruption } from '../launch/interrupt.ts';
import { readTargets } from '../launch/lab-targets.ts';
import { labUp, type LabUp } from '../launch/lab-up.ts';
import { titleOf } from '../launch/lab-networks.ts';
import { describeNicsNow } from '../launch/nics-now.ts';
import { readVm, runningDocument, type Where } from '../launch/vms.ts';
import type { LabArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<LabArguments> = async ({ targets, timeout }, context) => {
  const { report } = context;
  const interruption = catchInterruption();
  const lab = await readTargets(targets, context);
  const rows = report.progressList([
    ...lab.networks.map(({ name }) => titleOf(name)),
    ...lab.vms.map(({ name }) => name),
  ]);
  try {
    const up = await labUp(lab, {
      ...launchContext(context),
      interrupted: interruption.signal,
      warn: (message) => rows.above(() => report.warn(message)),
      tell: rows.set,
      ...(timeout !== undefined && { timeoutS: timeout }),
    });
    if (report.json) report.document(await documentOf(up, context));
    return 0;
  } finally {
    rows.done();
  }
};

async function documentOf({ vms, networks }: LabUp, where: Where): Promise<Record<string, unknown>> {
  const documents = [];
  for (const { vm: name, started } of vms) {
    const { vm, state, pid, record } = readVm(where, name);
    const running =
      record === undefined || pid === undefined
        ? { vm, state, pid: pid ?? null }
        : runningDocument(record, { pid, state, nics: await describeNicsNow(vm, record.nics, { ...where, pid }) });
    documents.push({ ...running, started });
  }
  return { vms: documents, networks };
}
