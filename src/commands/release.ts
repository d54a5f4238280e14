/** `__release VM RUN STATUS`: what the waiter runs when QEMU ended. */
import { QrunError } from '../errors.ts';
import { finishRun } from '../launch/end.ts';
import { parseVmName } from '../names.ts';
import type { RawArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<RawArguments> = async ({ words }, context) => {
  const [name, runId, status] = words;
  if (name === undefined || runId === undefined) throw new QrunError('usage', '__release VM RUN STATUS');
  await finishRun(parseVmName(name), launchContext(context), {
    runId,
    ...(status !== undefined && { qemuStatus: Number(status) }),
  });
  return 0;
};
