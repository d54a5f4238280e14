/** A network that must be up for what is wanted of it. */
import { QrunError } from '../errors.ts';
import type { NetworkName } from '../network/network.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { NetworkContext } from './context.ts';
import { requireKnownNetwork } from './names.ts';
import { readNetworkRecord, type NetworkRecord } from './record.ts';

/** @throws QrunError `unknown-name` when there is no such network, or it is not up */
export function requireUp(name: NetworkName, context: Pick<NetworkContext, 'places' | 'system'>): NetworkRecord {
  const record = readNetworkRecord(networkFiles(context.places, name));
  if (record?.bootId === context.system.bootId()) return record;
  requireKnownNetwork(name, context.places);
  throw new QrunError('unknown-name', `network ${name} is not up`, { hint: `qrun net up ${name}` });
}
