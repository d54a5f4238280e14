/**
 * `gc`: gives back what dead runs held. A VM whose lock is held lives, and nothing of it is touched; of a dead one, the journal says what is its own.
 */
import { closeSync, existsSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { readJournal } from '../journal/journal.ts';
import { whyLeft } from '../journal/walk.ts';
import type { VmName } from '../names.ts';
import { vmFiles } from '../plan/vm-files.ts';
import { finishLocked, finishSetAside, listSetAside } from './end.ts';
import type { LaunchContext } from './prepare.ts';
import { lockIfDead } from './vm-lock.ts';
import { listVmNames } from './vms.ts';

export interface Collected {
  readonly vm: string;
  /** The step's id, or what else it was. */
  readonly what: string;
  readonly path?: string;
  readonly state: 'removed' | 'would-remove' | 'left';
  readonly why?: string;
}

/** @param only one VM, or undefined for all */
export async function collect(context: LaunchContext, only: VmName | undefined, dryRun: boolean): Promise<Collected[]> {
  const names = only === undefined ? listVmNames(context.places) : [only];
  const found: Collected[] = [];
  for (const vm of names) found.push(...(await collectSafely(vm, context, dryRun)));
  return found;
}

/** One VM whose state cannot be read (a newer qrun's) keeps no other from being tidied. */
async function collectSafely(vm: VmName, context: LaunchContext, dryRun: boolean): Promise<Collected[]> {
  try {
    return await collectVm(vm, context, dryRun);
  } catch (error) {
    if (error instanceof QrunError) return [{ vm, what: 'state', state: 'left', why: error.message }];
    throw error;
  }
}

async function collectVm(vm: VmName, context: LaunchContext, dryRun: boolean): Promise<Collected[]> {
  const files = vmFiles(context.places, vm);
  const held = [files.journal, files.run, files.ending, ...listSetAside(files)].some((file) => existsSync(file));
  if (!held) return [];
  const lock = await lockIfDead(vm, context, dryRun ? 0 : undefined);
  if (lock === undefined) return []; // it lives
  try {
    const entries = [files.journal, ...listSetAside(files)]
      .flatMap((journal) => readJournal(journal)?.entries ?? [])
      .filter(({ released }) => !released)
      .map(({ step }) => step.id);
    const what = entries.length > 0 ? entries : ['run record'];
    if (dryRun) return what.map((one) => ({ vm, what: one, state: 'would-remove' }));
    const left = [...(await finishLocked(vm, context)), ...(await finishSetAside(vm, context))];
    const failed = new Map(left.map((one) => [one.step.id, whyLeft(one)]));
    return what.map((one) => {
      const why = failed.get(one);
      return why === undefined ? { vm, what: one, state: 'removed' } : { vm, what: one, state: 'left', why };
    });
  } finally {
    closeSync(lock);
  }
}
