/** A network that must be up for what is wanted of it. */
import { QrunError } from '../errors.ts';
import { findNetworkFile } from '../host/network-definitions.ts';
import type { NetworkName } from '../network/network.ts';
import { scopeOf } from '../network/scope.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { NetworkContext } from './context.ts';
import { readHostNetwork } from './host-networks.ts';
import { requireKnownNetwork } from './names.ts';
import { readDefinition } from './prepare-network.ts';
import { readNetworkRecord, type NetworkRecord } from './record.ts';

type Look = Pick<NetworkContext, 'places' | 'system'>;
/** What is wanted of it. */
type Verb = 'forward' | 'leases';

/** @throws QrunError `unknown-name` when there is no such network, or it is not up; `permission` where it is root's, and up */
export async function requireUp(name: NetworkName, context: Look, verb: Verb): Promise<NetworkRecord> {
  const record = readNetworkRecord(networkFiles(context.places, name));
  if (record?.bootId === context.system.bootId()) return record;
  requireKnownNetwork(name, context.places);
  const { uid } = context.system;
  if (uid !== 0 && readHostNetwork(name, context) !== undefined)
    throw new QrunError('permission', `network ${name} is root's`, { hint: `sudo qrun net ${verb} ${name}` });
  const sudo = uid !== 0 && (await isOfHost(name, context)) ? 'sudo ' : '';
  throw new QrunError('unknown-name', `network ${name} is not up`, { hint: `${sudo}qrun net up ${name}` });
}

/** Of a definition that has faults nobody knows. */
async function isOfHost(name: NetworkName, context: Look): Promise<boolean> {
  if (findNetworkFile(name, context) === undefined) return false;
  try {
    return scopeOf(await readDefinition(name, context), context.system.uid) === 'system';
  } catch (error) {
    if (error instanceof QrunError) return false;
    throw error;
  }
}
