/**
 * Whether what an `up` has reached still stands. Another qrun may have ended VMs in the meantime: `down` looks at what was started while it was at work,
 * and `up` at what was ended. So whichever is last sees it, and a lab that both are at is up or down, and nothing in between.
 */
import { QrunError } from '../errors.ts';
import type { LabVm } from '../lab/lab.ts';
import { parseJournal, summarise } from '../qmp/journal.ts';
import { readTail } from '../system/files.ts';
import { finishRun } from './end.ts';
import type { LabContext } from './lab-context.ts';
import type { LabVmResult } from './lab-start.ts';
import { readVm } from './vms.ts';

/** @throws QrunError `in-use` for one that somebody ended, `guest-crashed`; one that powered off by itself is no failure */
export async function requireStanding(
  vms: readonly LabVm[],
  results: readonly LabVmResult[],
  context: LabContext,
): Promise<void> {
  const jobs = new Set(
    vms.flatMap(({ name, wait, after }) => [
      ...(wait?.what.what === 'end' ? [name] : []),
      ...after.flatMap((edge) => (edge.wait?.what.what === 'end' ? [edge.vm] : [])),
    ]),
  );
  for (const result of results) if (!jobs.has(result.vm)) await requireOne(result, placeOf(vms, result.vm), context);
}

const placeOf = (vms: readonly LabVm[], name: string): string => {
  const at = vms.find((vm) => vm.name === name)?.at;
  return at === undefined ? '' : `${at}: `;
};

async function requireOne({ vm, record }: LabVmResult, place: string, context: LabContext): Promise<void> {
  const now = readVm(context, vm, true);
  const { poweringDown } = summarise(parseJournal(readTail(now.files.events, 65_536)));
  if (now.pid !== undefined && !poweringDown) return;
  if (now.pid === undefined && record !== undefined) {
    const end = await finishRun(vm, context, { runId: record.runId });
    if (end?.reason === 'guest-shutdown' && !wasAsked(now.files.events)) return;
    if (end !== undefined && end.status !== 0)
      throw new QrunError('guest-crashed', `${place}${vm}: it did not end well`, { hint: `qrun logs ${vm}` });
  }
  throw new QrunError('in-use', `${place}${vm} was ended by another qrun while the lab came up`, { hint: 'try again' });
}

/** By the ACPI button: a guest that powers off by itself has not heard it. */
const wasAsked = (events: string): boolean =>
  parseJournal(readTail(events, 65_536)).some((message) => message.kind === 'event' && message.event === 'POWERDOWN');
