/** Signals that this process receives. */
import { constants } from 'node:os';

export const signalNumber = (signal: NodeJS.Signals): number => constants.signals[signal];

/** Calls `listener` for these signals instead of ending this process. Returns how to stop that. */
export function onSignals(signals: readonly NodeJS.Signals[], listener: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}
