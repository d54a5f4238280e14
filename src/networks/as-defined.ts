/** What a network is, in its own words: as it runs, or as much as its definition tells without a plan. */
import { dhcpServerOf } from '../network/bridged/dnsmasq.ts';
import { isBridged } from '../network/bridged/mode.ts';
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
  /** The host's on it, or the gateway's, each with its prefix. */
  readonly addresses: readonly string[];
  /** Who hands out addresses, and which: IPv4 from the ranges, IPv6 only where it is written. Null: nobody. */
  readonly dhcp: { readonly server: string; readonly ranges: readonly string[] } | null;
}

export function asItRuns({ plan, definition }: Pick<NetworkRecord, 'plan' | 'definition'>): NetworkWays {
  const { scope, forward, transport, subnet, gateway, dnsServer } = plan;
  return {
    scope,
    forward,
    transport,
    subnet: subnet ?? null,
    gateway: gateway ?? null,
    dnsServer: dnsServer ?? null,
    ...handedOut(definition, scope),
  };
}

/** What can be told without a plan. */
export function asDefined(definition: Network, { system }: Pick<NetworkContext, 'system'>): NetworkWays {
  const { forward } = definition;
  const scope = scopeOf(definition, system.uid);
  const layout = hasLayout(definition, scope) ? layoutOf(definition) : undefined;
  return {
    scope,
    forward,
    transport: transportOf(definition, system.uid),
    subnet: layout?.subnet.cidr ?? null,
    gateway: layout?.gateway ?? null,
    dnsServer: (scope === 'user' ? layout?.dnsServer : undefined) ?? null,
    ...handedOut(definition, scope),
  };
}

const hasLayout = ({ forward, addresses }: Network, scope: NetworkScope): boolean =>
  scope === 'user' || isBridged(forward) || addresses.length > 0;

function handedOut(definition: Network, scope: NetworkScope): Pick<NetworkWays, 'addresses' | 'dhcp'> {
  const { addresses, dhcp, forward } = definition;
  if (!hasLayout(definition, scope)) return { addresses, dhcp: null };
  const { derived, gateway, subnet, ranges } = layoutOf(definition);
  const own = derived && (scope === 'user' || isBridged(forward)) ? [`${gateway}/${subnet.prefix}`] : [];
  const six = (dhcp?.ranges ?? []).filter(({ from }) => from.includes(':'));
  const all = [...ranges, ...six].map(({ from, to }) => `${from}-${to}`);
  const server = scope === 'user' ? 'qrun' : dhcpServerOf(definition);
  return {
    addresses: [...own, ...addresses],
    dhcp: dhcp === undefined ? null : { server: server ?? 'dnsmasq', ranges: all },
  };
}
