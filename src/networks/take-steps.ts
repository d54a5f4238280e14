/** Steps of a network that is up, taken once more: what of them was lost, and is in its journal again before it is there. */
import { readLinkIndex } from '../host/host-link.ts';
import { Journal, readJournal } from '../journal/journal.ts';
import { acquireAll } from '../journal/walk.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import type { Step } from '../plan/step.ts';
import { link } from '../resources/link.ts';
import { registryFor } from '../resources/of-bridges.ts';
import type { NetworkContext } from './context.ts';

export interface TakeWith extends Pick<NetworkContext, 'system' | 'warn'> {
  readonly files: NetworkFiles;
  readonly runId: string;
}

/** Under the network's lock. @throws whatever a step does; those before it stay */
export async function takeSteps(steps: readonly Step[], { files, runId, system, warn }: TakeWith): Promise<void> {
  if (steps.length === 0) return;
  await releaseRenamed(steps, { files, runId, system, warn });
  const registry = await registryFor(steps);
  const journal = Journal.resume(files.journal);
  try {
    const context = { system, runId, descriptors: new Map<number, number>(), warn };
    await acquireAll(steps, { journal, registry, context });
  } finally {
    journal.close();
  }
}

/** An interface that is there under another name would keep its addresses, and be nobody's. */
async function releaseRenamed(steps: readonly Step[], { files, runId, system }: TakeWith): Promise<void> {
  if (!steps.some((step) => step.kind === 'link' && readLinkIndex(step.name) === undefined)) return;
  const entries = readJournal(files.journal)?.entries ?? [];
  for (const step of steps) {
    if (step.kind !== 'link' || readLinkIndex(step.name) !== undefined) continue;
    const record = entries.find((entry) => entry.step.id === step.id)?.record;
    await link.release(step, record, { system, runId, started: true, sameBoot: true });
  }
}
