/** Waiting for what a script wants of a VM: its end, an answer on a port, a text on its console. */
import { connect } from 'node:net';
import { QrunError } from '../errors.ts';
import { parseWaitFor as parse, type WaitFor } from '../lab/wait-for.ts';
import type { PlannedForward } from '../plan/launch-plan.ts';
import { followFile } from '../system/follow-file.ts';
import { delay } from '../system/delay.ts';
import { parseUsernet } from '../qmp/usernet.ts';
import { withMonitor, type MonitorOf } from './monitor.ts';

export type { WaitFor };

/** @throws QrunError `usage` */
export function parseWaitFor(text: string): WaitFor {
  const parsed = parse(text);
  if ('value' in parsed) return parsed.value;
  throw new QrunError('usage', `--for: ${parsed.fault}`, { hint: 'qrun wait NAME --for end|port:22|text:REGEX' });
}

/** How much of the console is kept to find a text in. */
const windowBytes = 256 * 1024;

/** @returns false when the signal (the VM's end, the time) came first */
export async function waitForText(log: string, pattern: RegExp, signal: AbortSignal): Promise<boolean> {
  let seen = '';
  const decoder = new TextDecoder();
  for await (const chunk of followFile(log, { offset: 0, signal })) {
    seen = (seen + decoder.decode(chunk, { stream: true })).slice(-windowBytes);
    if (pattern.test(seen)) return true;
  }
  return false;
}

/** A forward of a VM's own, or of a network's. */
export type AnsweringForward = Pick<PlannedForward, 'hostAddress' | 'hostPort' | 'guestPort'>;

/**
 * A connection to a forwarded port succeeds at once, whatever the guest does: QEMU takes it and only then asks the guest. So QEMU is asked whether the guest answered.
 * @returns false when the signal came first
 */
export async function waitForPort(
  forward: AnsweringForward,
  monitor: MonitorOf,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    if (await guestAnswers(forward, monitor, signal)) return true;
    await delay(250);
  }
  return false;
}

async function guestAnswers(forward: AnsweringForward, monitor: MonitorOf, signal: AbortSignal): Promise<boolean> {
  const host = forward.hostAddress === '0.0.0.0' ? '127.0.0.1' : forward.hostAddress;
  const socket = connect({ host, port: Number(forward.hostPort) });
  const closed = new Promise<'closed'>((resolve) => {
    socket.once('close', () => resolve('closed'));
    socket.once('error', () => resolve('closed'));
  });
  const spoke = new Promise<'spoke'>((resolve) => socket.once('data', () => resolve('spoke')));
  try {
    for (let tries = 0; tries < 20 && !signal.aborted; tries += 1) {
      const first = await Promise.race([closed, spoke, delay(100)]);
      if (first === 'spoke') return true;
      if (first === 'closed') return false;
      if (await isEstablished(monitor, forward)) return true;
    }
    return false;
  } finally {
    socket.destroy();
  }
}

async function isEstablished(monitor: MonitorOf, forward: AnsweringForward): Promise<boolean> {
  const rows = parseUsernet(await withMonitor(monitor, (client) => client.hmp('info usernet')));
  return rows.some(
    ({ protocol, state, sourcePort, destinationPort }) =>
      protocol === 'TCP' &&
      state === 'ESTABLISHED' &&
      sourcePort === forward.hostPort &&
      destinationPort === forward.guestPort,
  );
}
