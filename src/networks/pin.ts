/** Whether a network that is up stays until `net down`, or goes with its last VM: in its record, and in what all users are told of one of root's. */
import type { HostNetwork } from '../network/host-network.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { HostNetworkStep } from '../plan/step.ts';
import type { NetworkContext } from './context.ts';
import { writeNetworkRecord, type NetworkRecord } from './record.ts';
import { takeSteps } from './take-steps.ts';

/** Under the network's lock. @returns the record as it is now */
export async function setPinned(
  record: NetworkRecord,
  pinned: boolean,
  { system, warn, places }: NetworkContext,
): Promise<NetworkRecord> {
  if (record.pinned === pinned) return record;
  const files = networkFiles(places, record.network);
  const steps = record.plan.steps.map((step) => (step.kind === 'host-network' ? toldOf(step, record, pinned) : step));
  const now: NetworkRecord = { ...record, pinned, plan: { ...record.plan, steps } };
  // whoever is killed in between has only told users: the record counts
  const told = record.bootId === system.bootId() ? steps.filter((step) => step.kind === 'host-network') : [];
  await takeSteps(told, { files, runId: record.runId, system, warn });
  writeNetworkRecord(files, now);
  return now;
}

function toldOf(step: HostNetworkStep, { startedAt }: NetworkRecord, pinned: boolean): HostNetworkStep {
  const { counted: _counted, ...rest } = step.network;
  const network: HostNetwork = { startedAt, ...rest, ...(!pinned && { counted: true }) };
  return { ...step, network };
}
