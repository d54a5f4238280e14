/** A start that is asked to end undoes itself instead of dying in the middle. */
import { QrunError } from '../errors.ts';
import { onSignals, signalNumber } from '../system/signals.ts';
import type { LaunchContext } from './prepare.ts';

export interface Interruption {
  readonly signal: AbortSignal;
  /** Signals mean again what they meant before. */
  readonly ignore: () => void;
}

export const endingSignals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** From now on the signals that end a program only say so. */
export function catchInterruption(): Interruption {
  const controller = new AbortController();
  const ignore = onSignals(endingSignals, (signal) => controller.abort(signal));
  return { signal: controller.signal, ignore };
}

/** @throws QrunError `interrupted` with status 128+n */
export function throwIfInterrupted({ interrupted }: Pick<LaunchContext, 'interrupted'>): void {
  if (interrupted?.aborted !== true) return;
  const signal = interrupted.reason as NodeJS.Signals;
  throw new QrunError('interrupted', `${signal} came before QEMU ran: nothing was started`, {
    status: 128 + signalNumber(signal),
  });
}
