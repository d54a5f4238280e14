import { QrunError } from '../errors.ts';
import { waitForVm } from '../launch/wait-vm.ts';
import { parseWaitFor } from '../supervise/wait.ts';
import type { WaitArguments } from './arguments.ts';
import type { Run } from './command.ts';
import { launchContext } from './launch-context.ts';

export const run: Run<WaitArguments> = async ({ vm, for: what, timeout }, context) => {
  if (timeout !== undefined && !(timeout >= 0))
    throw new QrunError('usage', '--timeout takes a number of seconds', { hint: 'qrun wait NAME --timeout 30' });
  return await waitForVm(vm, parseWaitFor(what ?? 'end'), {
    ...launchContext(context),
    ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
  });
};
