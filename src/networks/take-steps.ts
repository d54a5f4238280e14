/** Steps of a network that is up, taken once more: what of them was lost, and is in its journal again before it is there. */
import { Journal } from '../journal/journal.ts';
import { acquireAll } from '../journal/walk.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import type { Step } from '../plan/step.ts';
import { resourceOf } from '../resources/registry.ts';
import type { NetworkContext } from './context.ts';

export interface TakeWith extends Pick<NetworkContext, 'system' | 'warn'> {
  readonly files: NetworkFiles;
  readonly runId: string;
}

/** Under the network's lock. @throws whatever a step does; those before it stay */
export async function takeSteps(steps: readonly Step[], { files, runId, system, warn }: TakeWith): Promise<void> {
  if (steps.length === 0) return;
  const journal = Journal.resume(files.journal);
  try {
    const context = { system, runId, descriptors: new Map<number, number>(), warn };
    await acquireAll(steps, { journal, registry: resourceOf, context });
  } finally {
    journal.close();
  }
}
