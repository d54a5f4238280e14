/** A network that must be up for what is wanted of it. */
import { QrunError } from '../errors.ts';
import { findNetworkFile } from '../host/network-definitions.ts';
import type { NetworkName } from '../network/network.ts';
import { scopeOf } from '../network/scope.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { NetworkContext } from './context.ts';
import { requireKnownNetwork } from './names.ts';
import { faultOfRoot, type NetCommand } from './of-root.ts';
import { hostNetworkMeant, readDefinition } from './prepare-network.ts';
import { readNetworkRecord, type NetworkRecord } from './record.ts';

type Look = Pick<NetworkContext, 'places' | 'system'>;

/** @param command what is wanted of it @throws QrunError `unknown-name` when there is no such network, or it is not up; `permission` where it is root's, up or not */
export async function requireUp(name: NetworkName, context: Look, command: NetCommand): Promise<NetworkRecord> {
  const record = readNetworkRecord(networkFiles(context.places, name));
  if (record?.bootId === context.system.bootId()) return record;
  requireKnownNetwork(name, context.places);
  const { uid } = context.system;
  const fault = faultOfRoot(name, command, context);
  if (fault !== undefined && (await hostNetworkMeant(name, context)) !== undefined) throw fault;
  const told = `network ${name} is not up`;
  if (uid !== 0 && (await isOfHost(name, context)))
    throw new QrunError('permission', `${told}, and root takes it up`, { hint: `sudo qrun net up ${name}` });
  throw new QrunError('unknown-name', told, { hint: `qrun net up ${name}` });
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
