/** What a network is right now. Read only; no lock is taken. */
import type { NetworkName } from '../network/network.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import { readHostNetwork, recordOfHost } from './host-networks.ts';
import { readHealth, type NetworkHealth } from './health.ts';
import { faultyPorts } from './port-health.ts';
import type { NetworkContext } from './context.ts';
import { QrunError } from '../errors.ts';
import { readLostState } from './lost-state.ts';
import { readNetworkRecord, type NetworkRecord } from './record.ts';
import { isLocked } from './lock.ts';
import { isRules } from './mend-bridge.ts';
import { isHeld } from './take-down.ts';

/** `broken`: something of it is missing, and `net up` mends it. */
export type NetworkState = 'defined' | 'up' | 'pinned' | 'broken';

export interface NetworkStatus {
  readonly state: NetworkState;
  readonly record?: NetworkRecord;
  readonly health?: NetworkHealth;
  /** Why its record cannot be read: a newer qrun's. One network keeps no other from being told of. */
  readonly fault?: string;
}

/** Costs a look at all processes if the network is up. */
export function readNetworkStatus(
  name: NetworkName,
  { places, system }: Pick<NetworkContext, 'places' | 'system'>,
): NetworkStatus {
  const files = networkFiles(places, name);
  if (!isHeld(files)) {
    if (system.uid !== 0) return statusOfHost(name, { places, system });
    return { state: isLost(name, { places, system }) ? 'broken' : 'defined' };
  }
  const record = readOrFault(files);
  if (record instanceof QrunError) return { state: 'broken', fault: record.message };
  // begun, and never finished; or of an earlier boot: nothing of it runs
  if (record === undefined) return { state: 'broken' };
  if (record.bootId !== system.bootId()) return { state: 'defined' };
  return statusOf(files, record, system);
}

/** Whoever changes rules has the lock, and writes the record after them. */
function statusOf(files: NetworkFiles, read: NetworkRecord, system: NetworkContext['system']): NetworkStatus {
  let [record, health] = [read, readHealth(read, system)];
  if (health.missing.some(isRules)) {
    const isAtWork = isLocked(files);
    const again = readOrFault(files);
    if (again !== undefined && !(again instanceof QrunError)) record = again;
    health = readHealth(record, isAtWork ? undefined : system);
  }
  if (health.missing.length > 0) return { state: 'broken', record, health };
  return { state: record.pinned ? 'pinned' : 'up', record, health };
}

/** Its state was removed while it was up. */
function isLost(name: NetworkName, look: Pick<NetworkContext, 'places' | 'system'>): boolean {
  try {
    return readLostState(name, look) !== undefined;
  } catch (error) {
    if (error instanceof QrunError) return false;
    throw error;
  }
}

/** Root's, told to all. */
function statusOfHost(name: NetworkName, look: Pick<NetworkContext, 'places' | 'system'>): NetworkStatus {
  const host = readHostNetwork(name, look);
  if (host === undefined) return { state: 'defined' };
  const missing = faultyPorts(host);
  const record = recordOfHost(host, look);
  const state = missing.length > 0 ? 'broken' : record.pinned ? 'pinned' : 'up';
  return { state, record, health: { missing, processes: {} } };
}

function readOrFault(files: NetworkFiles): NetworkRecord | QrunError | undefined {
  try {
    return readNetworkRecord(files);
  } catch (error) {
    if (error instanceof QrunError) return error;
    throw error;
  }
}
