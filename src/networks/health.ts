/** Which programs of a network run: for `net info`, `net ls` and `ps`. */
import { hostNetworkOf, type NetworkPlan } from '../network/network-plan.ts';
import type { NetworkRecord } from './record.ts';
import { readHostLink } from '../host/host-link.ts';
import type { HostAccessStep, LinkStep, ServiceStep } from '../plan/step.ts';
import { brokenJoins } from './join-health.ts';
import { faultyPorts } from './port-health.ts';
import { alteredParts, missingRules } from './mend-bridge.ts';
import { missingFiles } from './mend-files.ts';
import type { System } from '../system/system.ts';
import { findMissing, findUnkept, readService } from '../resources/service.ts';

export interface NetworkHealth {
  /** Programs that do not run, or whose sockets are gone; `watcher`: nobody would notice that the last VM has left. */
  readonly missing: readonly string[];
  /** Pids by program. */
  readonly processes: Readonly<Record<string, readonly number[]>>;
}

export const servicesOf = (plan: NetworkPlan): ServiceStep[] => plan.steps.filter((step) => step.kind === 'service');

/** Interfaces of its own that are not there. */
export const missingLinks = (plan: NetworkPlan): (LinkStep | HostAccessStep)[] =>
  plan.steps
    .filter((step) => step.kind === 'link' || step.kind === 'host-access')
    .filter(({ name }) => readHostLink(name) === undefined);

/** @param system where rules are to be looked at as well: it takes a program */
export function readHealth({ plan, pinned }: Pick<NetworkRecord, 'plan' | 'pinned'>, system?: System): NetworkHealth {
  const processes: Record<string, readonly number[]> = {};
  const missing: string[] = missingLinks(plan).map(({ name }) => name);
  missing.push(...brokenJoins(plan));
  const host = hostNetworkOf(plan);
  if (host !== undefined) missing.push(...faultyPorts(host).filter((name) => !missing.includes(name)));
  missing.push(...alteredParts(plan), ...missingFiles(plan));
  if (system !== undefined) missing.push(...missingRules(plan, system));
  for (const step of servicesOf(plan)) {
    const state = readService(step);
    Object.assign(processes, state.running);
    missing.push(...findMissing(step, state), ...findUnkept(step, state).map((name) => `keeper (${name})`));
    if (!pinned && step.watch !== undefined && !state.watched) missing.push('watcher');
  }
  return { missing, processes };
}
