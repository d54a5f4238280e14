/** What a failed or refused start says. */
import { QrunError } from '../errors.ts';
import type { LaunchPlan } from '../plan/launch-plan.ts';
import type { PortStep } from '../plan/step.ts';
import type { VmFiles } from '../plan/vm-files.ts';
import { parseFailure } from '../qemu/failure.ts';
import { portInUse } from '../resources/port.ts';
import { readTail } from '../system/files.ts';
import { findRunningPid } from './liveness.ts';
import { readRun } from './run-record.ts';

/** Somebody took the free port that an `auto` forward was given, between our look and QEMU's bind: the start is tried again with another. */
export class AutoPortTaken extends QrunError {}

/** The VM lock is held: by a running QEMU, or for a moment by a start or a release. */
export function alreadyRunning(vm: string, files: VmFiles): QrunError {
  const pid = findRunningPid(files);
  const record = readRun(files);
  const since = record === undefined ? '' : `, since ${record.startedAt}`;
  const what =
    pid === undefined ? `${vm} is being started or stopped by another qrun` : `${vm} is running, pid ${pid}${since}`;
  return new QrunError('in-use', what, {
    hint: pid === undefined ? `try again, or: qrun ps` : `qrun console ${vm}, or: qrun stop ${vm}`,
  });
}

/** QEMU ended before its main loop ran: says why, in QEMU's own last words and in ours where we know them. */
export function failedStart(plan: LaunchPlan, files: VmFiles, status: number | undefined): QrunError {
  const text = readTail(files.qemuLog, 16_384);
  const failure = parseFailure(text);
  const words =
    failure?.line ??
    (text.trim().split('\n').at(-1) || `QEMU ended with status ${status ?? 'unknown'} and said nothing`);
  const port = failure?.forward === undefined ? undefined : takenPort(plan, failure.forward);
  if (port !== undefined) return port;
  return new QrunError(failure?.code ?? 'qemu-failed', `${plan.vm}: ${failure?.message ?? 'QEMU failed to start'}`, {
    causes: [words],
    hint: failure?.hint ?? `qrun logs ${plan.vm}, or: qrun show ${plan.vm}`,
  });
}

/** QEMU says the same for every reason why it could not bind a port: another look tells whether somebody was faster. */
function takenPort(
  plan: LaunchPlan,
  forward: { protocol: string; address: string; port: number },
): QrunError | undefined {
  const step = plan.steps.find(
    (one): one is PortStep =>
      one.kind === 'port' &&
      one.protocol === forward.protocol &&
      one.address === forward.address &&
      (one.port === forward.port || one.port === 'auto'),
  );
  if (step === undefined) return undefined;
  const error = portInUse(step, forward.port);
  return step.port === 'auto'
    ? new AutoPortTaken(error.code, error.message, { ...(error.hint !== undefined && { hint: error.hint }) })
    : error;
}
