/**
 * Whether a guest behind passt answers on a forwarded port. passt takes a connection at once and only then asks the guest; it closes it, without an
 * error, at once when the guest refuses, and after ten seconds when nobody answers. So a connection that stays is a guest that answered, or none at all:
 * which of them shows when our side says that it has nothing to say. A server closes then, and for nobody passt does nothing.
 */
import { connect, type Socket } from 'node:net';
import type { PlannedForward } from '../plan/launch-plan.ts';
import { delay } from '../system/delay.ts';

/** A guest that refuses does so within this. */
const refusalMs = 500;
/** A server that is told that nothing will come closes within this, or not at all. */
const serverMs = 1500;
/** By then passt has given up: who still has a connection has a guest. */
const patienceMs = 12_000;
/** So many short looks for a long one: most servers close, and a guest that is still booting is asked again soon. */
const shortLooks = 4;

/** @returns false when the signal came first */
export async function waitForPasstPort(forward: PlannedForward, signal: AbortSignal): Promise<boolean> {
  for (let look = 1; !signal.aborted; look += 1) {
    const forMs = look % (shortLooks + 1) === 0 ? patienceMs : serverMs;
    // twice, because a guest may come up in the middle of the first
    if ((await answers({ forward, forMs }, signal)) && (await answers({ forward, forMs }, signal))) return true;
    await delay(250);
  }
  return false;
}

interface Look {
  readonly forward: PlannedForward;
  readonly forMs: number;
}

async function answers({ forward, forMs }: Look, signal: AbortSignal): Promise<boolean> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal.addEventListener('abort', onAbort);
  const socket = connect({ host: addressOf(forward), port: Number(forward.hostPort), allowHalfOpen: true });
  const over = endOf(socket);
  const first = (ms: number): Promise<End | 'time'> =>
    Promise.race([over, delay(ms, stop.signal).then(() => 'time' as const)]);
  try {
    const refusal = await first(refusalMs);
    if (refusal !== 'time') return refusal === 'spoke';
    socket.end();
    const early = await first(serverMs);
    if (early !== 'time') return early !== 'failed';
    return forMs > serverMs && (await first(forMs - serverMs)) === 'time' && !signal.aborted;
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort();
    socket.destroy();
  }
}

type End = 'ended' | 'failed' | 'spoke';

function endOf(socket: Socket): Promise<End> {
  return new Promise((resolve) => {
    socket.once('data', () => resolve('spoke'));
    socket.once('error', () => resolve('failed'));
    for (const event of ['end', 'close']) socket.once(event, () => resolve('ended'));
  });
}

function addressOf({ hostAddress }: PlannedForward): string {
  if (hostAddress === '0.0.0.0') return '127.0.0.1';
  return hostAddress === '::' ? '::1' : hostAddress;
}
