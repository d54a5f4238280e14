/** Whether a definition that is to be kept could come up beside all others of this host. Read only, and needs no rights. */
import { readRoutes } from '../host/routes.ts';
import { requireFreeSubnets, subnetsOf } from '../network/bridged/free-subnets.ts';
import { bridgeNameOf } from '../network/bridged/names.ts';
import type { Network, NetworkName } from '../network/network.ts';
import { scopeOf } from '../network/scope.ts';
import type { NetworkContext } from './context.ts';
import { readOtherNetworks } from './other-networks.ts';
import { readNetworkStatus } from './state.ts';

/** What it replaces, up or not, is not in its way. @throws QrunError `in-use`, in the words of `net up` */
export async function requireFreeDefinition(definition: Network, context: NetworkContext): Promise<void> {
  if (scopeOf(definition, context.system.uid) !== 'system' || subnetsOf(definition).length === 0) return;
  const facts = { routes: readRoutes(), others: await readOtherNetworks(definition.name, context) };
  requireFreeSubnets(definition, facts, [bridgeNameOf(definition), ...bridgesOf(definition.name, context)]);
}

/** Of the one of that name that is up: it may have another bridge by now. */
function bridgesOf(name: NetworkName, context: NetworkContext): string[] {
  const attach = readNetworkStatus(name, context).record?.plan.attach;
  return attach?.by === 'bridge' ? [attach.bridge] : attach?.by === 'port' ? [attach.host.on] : [];
}
