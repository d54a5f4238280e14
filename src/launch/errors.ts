/** What a failed or refused start says. */
import { QrunError } from '../errors.ts';
import type { LaunchPlan } from '../plan/launch-plan.ts';
import type { VmFiles } from '../plan/vm-files.ts';
import { parseQemuFailure } from '../qemu/failure.ts';
import { AutoPortTaken, portInUse } from '../resources/port.ts';
import { readTail } from '../system/files.ts';
import { holderOfPort } from '../system/ports.ts';
import { findRunningPid } from './liveness.ts';
import { readRun } from './run-record.ts';

/** The VM lock is held: by a running QEMU, or for a moment by a start or a release. */
export function alreadyRunning(vm: string, files: VmFiles): QrunError {
  const pid = findRunningPid(files);
  const since = sinceOf(files);
  const what =
    pid === undefined ? `${vm} is being started or stopped by another qrun` : `${vm} is running, pid ${pid}${since}`;
  return new QrunError('in-use', what, {
    hint: pid === undefined ? `try again, or: qrun ps` : `qrun console ${vm}, or: qrun stop ${vm}`,
  });
}

function sinceOf(files: VmFiles): string {
  try {
    const record = readRun(files);
    return record === undefined ? '' : `, since ${record.startedAt}`;
  } catch {
    return ''; // a newer qrun's record
  }
}

/** QEMU ended before its main loop ran: says why, in QEMU's own last words and in ours where we know them. */
export function failedStart(plan: LaunchPlan, files: VmFiles, status: number | undefined): QrunError {
  const text = readTail(files.qemuLog, 16_384);
  const failure = parseQemuFailure(text);
  const taken = failure?.forward === undefined ? undefined : takenPort(plan);
  if (taken !== undefined) return taken;
  if (failure === undefined) {
    return new QrunError('qemu-failed', `${plan.vm}: QEMU ended with status ${status ?? 'unknown'} and said nothing`, {
      hint: `qrun show ${plan.vm}`,
    });
  }
  return new QrunError(failure.code, `${plan.vm}: ${failure.message}`, {
    causes: failure.message.includes(failure.line) ? [] : [failure.line],
    hint: failure.hint ?? `qrun logs ${plan.vm}, or: qrun show ${plan.vm}`,
  });
}

/** QEMU says the same for every reason why it could not bind a port, and may name another forward: a look at who has them tells. */
function takenPort({ nics, links = [] }: LaunchPlan): QrunError | undefined {
  // those of a passt that was started before QEMU are taken by that
  const forwards = nics.flatMap((nic) => (links.some((link) => link.nic === nic.id) ? [] : (nic.forwards ?? [])));
  for (const { protocol, hostAddress: address, hostPort, step, written } of forwards) {
    if (hostPort === 'auto' || holderOfPort({ protocol, address, port: hostPort }) === undefined) continue;
    const error = portInUse({ protocol, address }, hostPort);
    if (written.hostPort !== 'auto') return error;
    return new AutoPortTaken(error.code, error.message, {
      ...(error.hint !== undefined && { hint: error.hint }),
      causes: [step],
    });
  }
  return undefined;
}
