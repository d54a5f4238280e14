import { readdirSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.ts';
import { isVmName } from '../names.ts';
import type { NetworkName } from '../network/network.ts';
import type { Places } from '../places.ts';

/** Names of all networks that have state, sorted: they are up, or were once. */
export function listNetworkState(places: Places): NetworkName[] {
  try {
    return readdirSync(path.join(places.state, 'networks')).filter(isVmName).toSorted();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
