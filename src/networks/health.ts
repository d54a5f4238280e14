/** Which programs of a network run: for `net info`, `net ls` and `ps`. */
import type { NetworkPlan } from '../network/network-plan.ts';
import type { ServiceStep } from '../plan/step.ts';
import { readService } from '../resources/service.ts';

export interface NetworkHealth {
  /** Programs that do not run. */
  readonly missing: readonly string[];
  /** Pids by program. */
  readonly processes: Readonly<Record<string, readonly number[]>>;
}

export const servicesOf = (plan: NetworkPlan): ServiceStep[] => plan.steps.filter((step) => step.kind === 'service');

export function readHealth(plan: NetworkPlan): NetworkHealth {
  const processes: Record<string, readonly number[]> = {};
  for (const step of servicesOf(plan)) Object.assign(processes, readService(step).running);
  return {
    missing: Object.entries(processes).flatMap(([name, pids]) => (pids.length === 0 ? [name] : [])),
    processes,
  };
}
