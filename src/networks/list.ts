/** The networks of this user: those that are defined, and those that run without a definition. Read only. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.ts';
import { isVmName, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import { networkFiles } from '../plan/network-files.ts';
import { failureOf } from '../system/failure.ts';

/** Names in `directory` without their ending, sorted; none if there is no such directory. */
function namesIn(directory: string, suffix: string): VmName[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(suffix))
      .map((name) => name.slice(0, name.length - suffix.length))
      .filter(isVmName)
      .toSorted();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw failureOf(directory, error, 'cannot list it');
  }
}

/** Names of the networks that are up, pinned or broken, or whose end was not seen. Nothing is opened. */
export const listUpNetworkNames = (places: Places): VmName[] =>
  namesIn(path.join(places.state, 'networks'), '').filter((name) => existsSync(networkFiles(places, name).record));

/** Names of all networks. Nothing is opened. */
export function listNetworkNames(places: Places): VmName[] {
  const defined = places.config.flatMap((directory) => namesIn(path.join(directory, 'networks'), '.yaml'));
  return [...new Set([...defined, ...listUpNetworkNames(places)])].toSorted();
}
