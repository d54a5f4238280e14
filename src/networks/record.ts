/** The record of a network that is up: one JSON file in its state directory, written under the network's lock, gone when it is down. */
import { rmSync } from 'node:fs';
import type { Network, NetworkName } from '../network/network.ts';
import type { NetworkForward, NetworkPlan } from '../network/network-plan.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import { QrunError } from '../errors.ts';
import { writeQuick } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';

export interface NetworkRecord {
  readonly v: 1;
  readonly network: NetworkName;
  readonly runId: string;
  readonly bootId: string;
  /** `net up`: it stays until `net down`. */
  readonly pinned: boolean;
  /** ISO 8601 */
  readonly startedAt: string;
  /** When a part of it that guests cannot find again (a VDE switch) was started anew; NICs from before are lost. */
  readonly renewedAt?: string;
  /** Absolute path of the definition's file; the definition as it was then. */
  readonly file: string;
  readonly definition: Network;
  readonly plan: NetworkPlan;
  /** Those that are in force, with their real ports: the definition's, and what was added since. */
  readonly forwards: readonly NetworkForward[];
  /** Those of the kernel's rules that were taken away since it is up. */
  readonly withdrawn?: readonly NetworkForward[];
}

export function writeNetworkRecord(files: NetworkFiles, record: NetworkRecord): void {
  writeQuick(files.record, JSON.stringify(record));
}

export function removeNetworkRecord(files: NetworkFiles): void {
  rmSync(files.record, { force: true });
}

/** Undefined: it is not up, or its record is broken; the journal says what is to be given back. @throws QrunError `newer-state` */
export function readNetworkRecord(files: NetworkFiles): NetworkRecord | undefined {
  try {
    const read = readStateFile(files.record, { leave: true });
    return read.state === 'read' ? (read.value as unknown as NetworkRecord) : undefined;
  } catch (error) {
    if (error instanceof QrunError && error.code === 'unsafe-state') return undefined;
    throw error;
  }
}
