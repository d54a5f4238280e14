import path from 'node:path';
import { isVmName } from '../names.ts';
import type { NetworkName } from '../network/network.ts';
import type { Places } from '../places.ts';
import { entriesOf } from '../system/entries.ts';

/** Names of all networks that have state, sorted: they are up, or were once. */
export const listNetworkState = (places: Places): NetworkName[] =>
  entriesOf(path.join(places.state, 'networks')).filter(isVmName).toSorted();
