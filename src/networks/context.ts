import type { Places } from '../places.ts';
import type { System } from '../system/system.ts';

/** What every stage of a network's gets. */
export interface NetworkContext {
  readonly system: System;
  readonly places: Places;
  readonly warn: (message: string) => void;
}
