/** Ends a running VM and gives back what it held. */
import { QrunError } from '../errors.ts';
import type { Rung } from '../supervise/ladder.ts';
import { stopQemu } from '../supervise/stop.ts';
import { delay } from '../system/delay.ts';
import { writeQuick } from '../system/files.ts';
import { isAlive, readArguments, readIdentity, readProcess, type ProcessIdentity } from '../system/processes.ts';
import type { VmName } from '../names.ts';
import { finishRun } from './end.ts';
import type { LaunchContext } from './prepare.ts';
import { readVm, socketsGone } from './vms.ts';
import { waiterName } from './waiter.ts';

const waiterPatienceMs = 3000;

export interface StopVmOptions {
  readonly from: 'power-down' | 'kill';
  /** Seconds; undefined: what the profile said when it was started. */
  readonly timeoutS?: number;
  readonly onProgress?: (rung: Rung, elapsedMs: number) => void;
}

/** @returns false when it did not run; that is success too @throws QrunError `left-behind` */
export async function stopVm(vm: VmName, context: LaunchContext, options: StopVmOptions): Promise<boolean> {
  const { pid, record, files, state } = readVm(context, vm, true);
  const startTime = pid === undefined ? undefined : readProcess(pid)?.startTime;
  if (pid === undefined || startTime === undefined) {
    await finishRun(vm, context, { waitMs: 2000 });
    return false;
  }
  const waiter = waiterOf(pid);
  const isDeaf = state === 'lost' && options.from === 'power-down';
  if (isDeaf) context.warn(`${vm}: its guest cannot be asked to power down, ${socketsGone}: QEMU is told to end`);
  if (options.from === 'kill') noteKill(files.ending, record?.runId ?? '', context);
  await stopQemu(
    {
      vm,
      qmp: record?.sockets.qmp ?? files.qmp,
      lock: files.monitorLock,
      process: { pid, startTime, bootId: context.system.bootId() },
    },
    {
      from: isDeaf ? 'terminate' : options.from,
      timeoutMs: (options.timeoutS ?? record?.shutdownTimeoutS ?? 60) * 1000,
      ...(options.onProgress && { onProgress: options.onProgress }),
    },
  );
  try {
    await finishRun(vm, context, record === undefined ? {} : { runId: record.runId });
  } finally {
    await untilGone(waiter);
  }
  return true;
}

/** It says that the end was wanted. A disk that is full keeps no VM alive. */
function noteKill(file: string, runId: string, { warn }: LaunchContext): void {
  try {
    writeQuick(file, `kill ${runId}\n`);
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    warn(`that it was killed is not noted: ${error.message}`);
  }
}

/** Its own release finds nothing to do any more; nothing of the VM is at work when `stop` returns, though. */
async function untilGone(waiter: ProcessIdentity | undefined): Promise<void> {
  for (let waitedMs = 0; waiter !== undefined && isAlive(waiter) && waitedMs < waiterPatienceMs; waitedMs += 5)
    await delay(5);
}

function waiterOf(pid: number): ProcessIdentity | undefined {
  const parent = readProcess(pid)?.parent;
  if (parent === undefined || !readArguments(parent).includes(waiterName)) return undefined;
  return readIdentity(parent);
}
