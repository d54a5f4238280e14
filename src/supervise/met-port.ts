/** Whether a guest listens on a port, where the host itself is on the guest's network: asked by a connection that is closed at once. */
import { connect } from 'node:net';
import { delay } from '../system/delay.ts';

const betweenMs = 250;
const answerMs = 2000;

/** @param addresses at which the host has met the guest by now; false: the signal came first */
export async function waitForMetPort(
  addresses: () => readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    for (const host of addresses()) if (!signal.aborted && (await accepts(host, port))) return true;
    await delay(betweenMs);
  }
  return false;
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.setTimeout(answerMs, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
