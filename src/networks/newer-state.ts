/** What a newer qrun wrote for a network beside its record and its journal: it is looked at before anything is changed, and is neither overwritten nor removed. */
import { hostNetworkFiles } from '../network/host-network.ts';
import type { NetworkName } from '../network/network.ts';
import { networkFiles } from '../plan/network-files.ts';
import { lastPortsFile } from '../resources/last-ports.ts';
import { switchedOnFile } from '../resources/sysctl.ts';
import { requireKnownVersion } from '../system/state-files.ts';
import type { NetworkContext } from './context.ts';

type Look = Pick<NetworkContext, 'places' | 'system'>;

/** What an up writes. @throws QrunError `newer-state` */
export function requireKnownState(name: NetworkName, { places, system }: Look): void {
  const { dir, addresses } = networkFiles(places, name);
  for (const file of [addresses, lastPortsFile(dir)]) requireKnownVersion(file);
  if (system.uid === 0) requireKnownVersion(switchedOnFile(places.host));
  requireKnownRegistry(name, { places, system });
}

/** What an end removes. @throws QrunError `newer-state` */
export function requireKnownRegistry(name: NetworkName, { places, system }: Look): void {
  if (system.uid === 0) requireKnownVersion(hostNetworkFiles(places.host, name).record);
}
