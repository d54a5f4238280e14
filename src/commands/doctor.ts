import { examine } from '../launch/doctor.ts';
import type { DoctorArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<DoctorArguments> = async ({ profile }, context) => {
  const { report } = context;
  const checks = await examine(launchContext(context), profile);
  if (report.json) report.document(checks);
  else {
    report.table(checks, [
      { title: 'STATE', value: ({ state }) => state },
      { title: 'WHAT', value: ({ what }) => what },
      { title: 'EVIDENCE', value: ({ evidence }) => evidence },
      { title: 'MEND', value: ({ mend }) => mend ?? undefined },
    ]);
  }
  return checks.some(({ state }) => state === 'fail') ? 3 : 0;
};
