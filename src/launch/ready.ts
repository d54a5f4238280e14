/** Waits until QEMU's main loop answers in the event journal, or until QEMU ended. */
import { closeSync, openSync, readSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { shellWord } from '../shell-word.ts';
import { throwIfInterrupted } from './interrupt.ts';
import type { LaunchContext } from './prepare.ts';
import type { Waiter } from './waiter.ts';

export type Readiness =
  | { readonly state: 'running'; readonly pid: number }
  | { readonly state: 'failed'; readonly status: number | undefined };

/** QEMU may stand still for ever while it asks somebody else: for how long it may, and what it is then. */
export interface Patience {
  readonly ms: number;
  readonly over: QrunError;
}

/**
 * The greeting comes before QEMU has made its devices; the answer to qmp_capabilities comes from the main loop, when all of them stand.
 * A look every 2 ms costs nothing next to QEMU's own 20.
 */
export async function waitUntilRunning(
  events: string,
  waiter: Waiter,
  context: Pick<LaunchContext, 'interrupted'> & { readonly patience?: Patience },
): Promise<Readiness> {
  const since = performance.now();
  let ended: { status: number | undefined } | undefined;
  void waiter.end.then((status) => (ended = { status }));
  const fd = openSync(events, 'r');
  const buffer = Buffer.alloc(4096);
  try {
    for (let waitMs = 2; ; waitMs = Math.min(waitMs + 0.05, 20)) {
      const length = readSync(fd, buffer, 0, buffer.length, 0);
      if (buffer.subarray(0, length).includes('{"return"')) return { state: 'running', pid: await waiter.pid };
      if (ended !== undefined) return { state: 'failed', status: ended.status };
      throwIfInterrupted(context);
      throwIfTooLate(since, context.patience);
      throwIfFull(since, { events, length });
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  } finally {
    closeSync(fd);
  }
}

const fullAfterMs = 1000;
const leastBytes = 4096;

/** QEMU's answer is lost where there is no room for it, and nobody would ever know. */
function throwIfFull(since: number, { events, length }: { readonly events: string; readonly length: number }): void {
  if (length > 0 || performance.now() - since < fullAfterMs) return;
  const { bavail, bsize } = statfsSync(path.dirname(events));
  if (bavail * bsize >= leastBytes) return;
  throw new QrunError('host-failed', `${events}: no space is left for what QEMU tells`, {
    hint: `df ${shellWord(path.dirname(events))}`,
  });
}

function throwIfTooLate(since: number, patience: Patience | undefined): void {
  if (patience !== undefined && performance.now() - since > patience.ms) throw patience.over;
}
