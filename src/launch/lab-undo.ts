/** What an `up` that failed has started is ended again, at once: nobody was told yet that it runs. */
import type { LabVm } from '../lab/lab.ts';
import type { LaunchContext } from './prepare.ts';
import { descend } from './descend.ts';
import { finishRun } from './end.ts';
import type { LabContext } from './lab-context.ts';
import type { Undone } from './lab-errors.ts';
import { lowerNetwork, titleOf, type Raised } from './lab-networks.ts';
import type { StartedVm } from './lab-start.ts';
import { stopVm } from './stop-vm.ts';
import { readVm } from './vms.ts';

export interface ToUndo {
  readonly vms: readonly LabVm[];
  readonly started: readonly StartedVm[];
  readonly raised: readonly Raised[];
}

const killsAtOnce = 8;

export async function undoLab({ vms, started, raised }: ToUndo, given: LabContext): Promise<Undone> {
  // the signal that brought us here must not stop the tidying
  const { interrupted: _over, ...context } = given;
  const ended: string[] = [];
  const left: string[] = [];
  const runIds = new Map(started.map(({ name, runId }) => [name, runId]));
  const undo = async (name: string, act: () => Promise<boolean>): Promise<void> => {
    try {
      if (!(await act())) return;
      ended.push(name);
      context.tell(name, 'undone', 'ended again');
    } catch (error) {
      left.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      context.tell(name, 'failed', 'could not be ended again');
    }
  };
  await descend(
    vms.filter(({ name }) => runIds.has(name)),
    ({ name }) => undo(name, () => endRun({ name, runId: runIds.get(name) ?? '' }, context)),
    killsAtOnce,
  );
  for (const { network } of raised.filter((one) => one.started).toReversed())
    await undo(titleOf(network), async () => (await lowerNetwork(network, context)) === 'down');
  return { ended, left };
}

/** This run, and not one that somebody has started since. @returns false when it had ended by itself */
async function endRun({ name, runId }: StartedVm, context: LaunchContext): Promise<boolean> {
  if (readVm(context, name, true).record?.runId !== runId) {
    await finishRun(name, context, { runId });
    return false;
  }
  return await stopVm(name, context, { from: 'kill' });
}
