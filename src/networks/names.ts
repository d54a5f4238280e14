/** The names of this user's networks. Light: completion asks for them at each TAB. */
import { existsSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { listNetworks } from '../host/network-definitions.ts';
import type { NetworkName } from '../network/network.ts';
import type { Places } from '../places.ts';
import { networkFiles } from '../plan/network-files.ts';
import { closestOf } from '../profile/closest.ts';
import { listHostNetworkNames } from './host-networks.ts';
import { listNetworkState } from './state-names.ts';

/** Names of the networks that are up, pinned or broken, or whose end was not seen. Nothing is opened. */
export const listUpNetworkNames = (places: Places): NetworkName[] =>
  listNetworkState(places).filter((name) => existsSync(networkFiles(places, name).record));

/** Names of all networks, sorted. Nothing is opened. */
export function listNetworkNames(places: Places): NetworkName[] {
  const names = [
    ...listNetworks(places).map(({ name }) => name),
    ...listUpNetworkNames(places),
    ...listHostNetworkNames(places),
  ];
  return [...new Set(names)].toSorted();
}

/** It is defined, or has state. */
export const isKnownNetwork = (name: NetworkName, places: Places): boolean =>
  listNetworkNames(places).includes(name) || listNetworkState(places).includes(name);

/** @throws QrunError `unknown-name` when it is neither defined nor has any state */
export function requireKnownNetwork(name: NetworkName, places: Places): void {
  if (isKnownNetwork(name, places)) return;
  const near = closestOf(name, listNetworkNames(places));
  throw new QrunError(
    'unknown-name',
    `there is no network ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    {
      hint: 'qrun net ls',
    },
  );
}
