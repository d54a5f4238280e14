/** What a network is right now. Read only; no lock is taken. */
import type { NetworkName } from '../network/network.ts';
import { networkFiles } from '../plan/network-files.ts';
import { readHealth, type NetworkHealth } from './health.ts';
import type { NetworkContext } from './context.ts';
import { readNetworkRecord, type NetworkRecord } from './record.ts';
import { isHeld } from './take-down.ts';

/** `broken`: something of it is missing, and `net up` mends it. */
export type NetworkState = 'defined' | 'up' | 'pinned' | 'broken';

export interface NetworkStatus {
  readonly state: NetworkState;
  readonly record?: NetworkRecord;
  readonly health?: NetworkHealth;
}

/** Costs a look at all processes if the network is up. */
export function readNetworkStatus(
  name: NetworkName,
  { places, system }: Pick<NetworkContext, 'places' | 'system'>,
): NetworkStatus {
  const files = networkFiles(places, name);
  if (!isHeld(files)) return { state: 'defined' };
  const record = readNetworkRecord(files);
  // begun, and never finished; or of an earlier boot: nothing of it runs
  if (record === undefined) return { state: 'broken' };
  if (record.bootId !== system.bootId()) return { state: 'defined' };
  const health = readHealth(record.plan);
  if (health.missing.length > 0) return { state: 'broken', record, health };
  return { state: record.pinned ? 'pinned' : 'up', record, health };
}
