/** Root's network of a name, or one that a user has defined for himself: which of them a name means, for who only looks. */
import type { NetworkName } from '../network/network.ts';
import type { NetworkContext } from './context.ts';
import { hostNetworkMeant } from './prepare-network.ts';
import { readNetworkStatus, type NetworkStatus } from './state.ts';

/** What there is of the network that this user means. */
export async function readStatusMeant(name: NetworkName, context: NetworkContext): Promise<NetworkStatus> {
  const status = readNetworkStatus(name, context);
  const isOfRoot = status.record?.plan.attach.by === 'port';
  return isOfRoot && (await hostNetworkMeant(name, context)) === undefined ? { state: 'defined' } : status;
}
