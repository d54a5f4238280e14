/**
 * The two walks over a plan's steps: take them all in order, give them all back in reverse. Neither knows what a step is.
 */
import { rmSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import type { Step } from '../plan/step.ts';
import type { AcquireContext, ReleaseContext, Resource } from '../resources/resource.ts';
import { failpoint } from './failpoint.ts';
import { Journal, readJournal, type JournalEntry, type StepRecord } from './journal.ts';

export type Registry = (step: Step) => Resource;

/**
 * Acquires in order, a step that says so while the one before it still is. The first failure ends it and is thrown, with everything so far in the journal
 * for `releaseAll`, and nothing under way any more.
 */
export async function acquireAll(
  steps: readonly Step[],
  options: { readonly journal: Journal; readonly registry: Registry; readonly context: Omit<AcquireContext, 'record'> },
): Promise<ReadonlyMap<string, StepRecord>> {
  const records = new Map<string, StepRecord>();
  const take = async (step: Step): Promise<void> => {
    const resource = options.registry(step);
    const isNoted = resource.looksOnly?.(step) !== true;
    if (isNoted) options.journal.intent(step);
    failpoint(`acquire:${step.id}`);
    const record = await resource.acquire(step, {
      ...options.context,
      taken: records,
      record: (value) => options.journal.record(step, value),
    });
    failpoint(`acquired:${step.id}`);
    if (isNoted) options.journal.record(step, record);
    records.set(step.id, record);
  };
  let underWay: Promise<void>[] = [];
  for (const [index, step] of steps.entries()) {
    underWay.push(take(step));
    if (steps[index + 1]?.overlaps === 'taken') continue;
    await settle(underWay);
    underWay = [];
  }
  return records;
}

/** All of them are over when the first failure is thrown. */
async function settle(underWay: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(underWay);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

export interface Leftover {
  readonly step: Step;
  readonly error: Error;
}

/** Gives back, last in first out, a step that says so while the one after it still is; going on past errors. The journal is removed when nothing is left, else it keeps what is. */
export async function releaseAll(
  path: string,
  options: { readonly registry: Registry; readonly context: Omit<ReleaseContext, 'started'> },
): Promise<readonly Leftover[]> {
  const content = readJournal(path);
  if (content === undefined) {
    rmSync(path, { force: true }); // killed before its head was written: nothing was taken
    return [];
  }
  const journal = Journal.resume(path);
  const context: ReleaseContext = { ...options.context, started: content.started };
  const left: Leftover[] = [];
  let held = 0;
  const giveBack = async ({ step, record }: JournalEntry): Promise<void> => {
    const resource = options.registry(step);
    let isOver = false;
    try {
      failpoint(`release:${step.id}`);
      if (resource.once === true) {
        journal.released(step);
        isOver = true;
      }
      await resource.release(step, record, context);
      note(journal, step);
      failpoint(`released:${step.id}`);
    } catch (error) {
      if (!isOver) held += 1;
      left.push({ step, error: error instanceof Error ? error : new Error(String(error)) });
    }
  };
  try {
    const isLong = ({ step }: JournalEntry): boolean => options.registry(step).takesLongest === true;
    for (const group of sideBySide(content.entries.filter(({ released }) => !released))) {
      const ordered = group.toSorted((one, other) => Number(isLong(other)) - Number(isLong(one)));
      await Promise.all(ordered.map(giveBack));
    }
    if (held === 0) journal.remove();
  } finally {
    journal.close();
  }
  return left;
}

/** Last in first out; those that are given back while the one after them still is are with it. */
function sideBySide(entries: readonly JournalEntry[]): JournalEntry[][] {
  const groups: JournalEntry[][] = [];
  for (const entry of entries.toReversed()) {
    const before = entry.step.overlaps === 'given' ? groups.at(-1) : undefined;
    if (before === undefined) groups.push([entry]);
    else before.push(entry);
  }
  return groups;
}

/** What is not noted, on a disk that is full, is at worst given back twice. */
function note(journal: Journal, step: Step): void {
  try {
    journal.released(step);
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
  }
}

/** Why it could not be given back, and the command that does it where one is known. */
export const whyLeft = ({ error }: Pick<Leftover, 'error'>): string =>
  error instanceof QrunError && error.hint !== undefined ? `${error.message}; ${error.hint}` : error.message;

/** @throws QrunError `left-behind` that names each thing and why */
export function throwIfLeft(vm: string, left: readonly Leftover[]): void {
  if (left.length === 0) return;
  throw new QrunError(
    'left-behind',
    `${vm}: ${left.length === 1 ? 'one thing' : `${left.length} things`} could not be given back`,
    {
      causes: left.map((one) => `${one.step.id}: ${whyLeft(one)}`),
      hint: `mend that, then: qrun gc ${vm}`,
    },
  );
}
