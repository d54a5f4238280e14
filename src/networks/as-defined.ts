/** What a network is, in its own words: as it runs, or as much as its definition tells without a plan. */
import { layoutOf } from '../network/layout.ts';
import type { ForwardMode, Network, NetworkScope, Transport } from '../network/network.ts';
import { scopeOf, transportOf } from '../network/scope.ts';
import type { NetworkContext } from './context.ts';
import type { NetworkRecord } from './record.ts';

/** The head lines of a network. */
export interface NetworkWays {
  readonly scope: NetworkScope;
  readonly forward: ForwardMode;
  readonly transport: Transport;
  readonly subnet: string | null;
  readonly gateway: string | null;
  readonly dnsServer: string | null;
}

export function asItRuns({ plan }: Pick<NetworkRecord, 'plan'>): NetworkWays {
  const { scope, forward, transport, subnet, gateway, dnsServer } = plan;
  return {
    scope,
    forward,
    transport,
    subnet: subnet ?? null,
    gateway: gateway ?? null,
    dnsServer: dnsServer ?? null,
  };
}

/** What can be told without a plan. */
export function asDefined(definition: Network, { system }: Pick<NetworkContext, 'system'>): NetworkWays {
  const { forward, addresses } = definition;
  const scope = scopeOf(definition, system.uid);
  const layout = scope === 'user' || addresses.length > 0 ? layoutOf(definition) : undefined;
  return {
    scope,
    forward,
    transport: transportOf(definition, system.uid),
    subnet: layout?.subnet.cidr ?? null,
    gateway: layout?.gateway ?? null,
    dnsServer: (scope === 'user' ? layout?.dnsServer : undefined) ?? null,
  };
}
