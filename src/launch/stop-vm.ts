/** Ends a running VM and gives back what it held. */
import type { Rung } from '../supervise/ladder.ts';
import { stopQemu } from '../supervise/stop.ts';
import { readProcess } from '../system/processes.ts';
import { writeQuick } from '../system/files.ts';
import type { VmName } from '../names.ts';
import { finishRun } from './end.ts';
import type { LaunchContext } from './prepare.ts';
import { readVm } from './vms.ts';

export interface StopVmOptions {
  readonly from: 'power-down' | 'kill';
  /** Seconds; undefined: what the profile said when it was started. */
  readonly timeoutS?: number;
  readonly onProgress?: (rung: Rung, elapsedMs: number) => void;
}

/** @returns false when it did not run; that is success too @throws QrunError `left-behind` */
export async function stopVm(vm: VmName, context: LaunchContext, options: StopVmOptions): Promise<boolean> {
  const { pid, record, files } = readVm(context, vm, true);
  const startTime = pid === undefined ? undefined : readProcess(pid)?.startTime;
  if (pid === undefined || startTime === undefined) {
    await finishRun(vm, context, { waitMs: 2000 });
    return false;
  }
  if (options.from === 'kill') writeQuick(files.ending, `kill ${record?.runId ?? ''}\n`);
  await stopQemu(
    {
      vm,
      qmp: record?.sockets.qmp ?? files.qmp,
      lock: files.monitorLock,
      process: { pid, startTime, bootId: context.system.bootId() },
    },
    {
      from: options.from,
      timeoutMs: (options.timeoutS ?? record?.shutdownTimeoutS ?? 60) * 1000,
      ...(options.onProgress && { onProgress: options.onProgress }),
    },
  );
  await finishRun(vm, context, record === undefined ? {} : { runId: record.runId });
  return true;
}
