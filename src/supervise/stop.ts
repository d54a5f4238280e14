/** Climbs the ladder of `ladder.ts` until QEMU is gone. */
import { delay } from '../system/delay.ts';
import { isAlive, killProcess, type ProcessIdentity } from '../system/processes.ts';
import { planLadder, type Rung } from './ladder.ts';
import { withMonitor, type MonitorOf } from './monitor.ts';

export interface StopTarget extends MonitorOf {
  readonly process: ProcessIdentity;
}

export interface StopOptions {
  readonly timeoutMs: number;
  readonly from: Rung;
  /** Told of each rung, and about every half second in between. */
  readonly onProgress?: (rung: Rung, elapsedMs: number) => void;
  /** Aborted: somebody else goes on with a harder rung. */
  readonly signal?: AbortSignal;
}

const lookEveryMs = 20;

/** @returns the last rung that was needed; QEMU is gone then (or the signal aborted) */
export async function stopQemu(target: StopTarget, options: StopOptions): Promise<Rung> {
  const startedAt = performance.now();
  let rung: Rung = options.from;
  for (const next of [...planLadder(options), { rung: 'kill' as const, atMs: Number.POSITIVE_INFINITY }]) {
    while (performance.now() - startedAt < next.atMs) {
      if (!isAlive(target.process) || options.signal?.aborted === true) return rung;
      options.onProgress?.(rung, performance.now() - startedAt);
      await delay(lookEveryMs);
    }
    rung = next.rung;
    options.onProgress?.(rung, performance.now() - startedAt);
    await climb(target, rung);
  }
  return rung;
}

async function climb(target: StopTarget, rung: Rung): Promise<void> {
  if (rung === 'terminate' || rung === 'kill') {
    if (isAlive(target.process)) killProcess(target.process.pid, rung === 'kill' ? 'SIGKILL' : 'SIGTERM');
    return;
  }
  try {
    await withMonitor(target, async (client) => {
      if (rung === 'quit') return await client.execute('quit');
      const status = (await client.execute('query-status')) as { status?: string };
      if (status.status === 'paused' || status.status === 'prelaunch') await client.execute('cont');
      return await client.execute('system_powerdown');
    });
  } catch (error) {
    // a monitor that is busy or dead is the next rung's business; QEMU may also have ended in the middle of the answer
    if (rung === 'quit') return;
    void error;
  }
}
