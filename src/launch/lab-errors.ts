/** What `up` says when it fails: which VM, why, and what became of the others. */
import { QrunError, type Fault } from '../errors.ts';
import type { LabVm } from '../lab/lab.ts';
import { hostFailureOf } from '../system/failure.ts';
import { signalNumber } from '../system/signals.ts';

export interface Failure {
  readonly vm: LabVm;
  readonly error: unknown;
}

/** One VM's error among those of others, with the place that names it. `what`: what failed, if not its start. */
export function errorOf(
  { vm, error }: { readonly vm: Pick<LabVm, 'name' | 'at'>; readonly error: unknown },
  what = '',
): unknown {
  const known = hostFailureOf(error);
  if (!(known instanceof QrunError)) return known;
  const { message } = known;
  const place = vm.at === undefined ? '' : `${vm.at}: `;
  // "web1 is running, pid 12" needs no other subject
  if (what === '' && message.startsWith(`${vm.name} `)) return changed(known, { message: `${place}${message}` });
  const [subject, ...words] = message.split(' ');
  const said = subject === vm.name || subject === `${vm.name}:` ? words.join(' ') : message;
  return changed(known, { message: `${place}${vm.name}: ${what}${said}` });
}

/** Several at once: the worst status counts, and all faults are shown. */
export function joinedFailures(failures: readonly Failure[]): unknown {
  const errors = failures.map((failure) => errorOf(failure));
  const bug = errors.find((error) => !(error instanceof QrunError));
  const known = errors.filter((error) => error instanceof QrunError);
  const worst = known.toSorted((a, b) => b.status - a.status)[0];
  if (bug !== undefined || worst === undefined || known.length === 1) return bug ?? worst;
  return new QrunError(worst.code, `${known.length} VMs cannot be started`, {
    causes: known.flatMap(({ message, causes }) => [message, ...causes.map((cause) => `  ${cause}`)]),
    faults: distinct(known.flatMap(({ faults }) => faults)),
    ...(worst.hint !== undefined && { hint: worst.hint }),
    status: worst.status,
  });
}

/** Several VMs may share a profile. */
function distinct(faults: readonly Fault[]): Fault[] {
  return [
    ...new Map(faults.map((fault) => [`${fault.file}:${fault.line}:${fault.column}:${fault.message}`, fault])).values(),
  ];
}

export interface Undone {
  /** What was ended again. */
  readonly ended: readonly string[];
  /** What could not be, each with why. */
  readonly left: readonly string[];
}

/** The error, with what became of what had been started. */
export function undone(error: unknown, { ended, left }: Undone): unknown {
  if (!(error instanceof QrunError) || ended.length + left.length === 0) return error;
  const causes = [...error.causes, ...(ended.length === 0 ? [] : [`ended again: ${ended.join(', ')}`]), ...left];
  return changed(error, { causes });
}

function changed(error: QrunError, { message, causes }: { message?: string; causes?: readonly string[] }): QrunError {
  return new QrunError(error.code, message ?? error.message, {
    ...(error.hint !== undefined && { hint: error.hint }),
    causes: causes ?? error.causes,
    faults: error.faults,
    status: error.status,
    cause: error,
  });
}

/** @param signal that was aborted, with the signal's name as its reason */
export const interruptedBy = ({ reason }: AbortSignal): QrunError =>
  new QrunError('interrupted', `${String(reason)}: the lab is not up`, {
    status: 128 + signalNumber(reason as NodeJS.Signals),
  });
