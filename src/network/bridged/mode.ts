/** Ways out that have a bridge of the network's own. */
import type { ForwardMode, Network } from '../network.ts';

export type BridgedMode = 'nat' | 'route' | 'open' | 'isolated';

const modes: readonly string[] = ['nat', 'route', 'open', 'isolated'] satisfies readonly BridgedMode[];

export const isBridged = (forward: ForwardMode): forward is BridgedMode => modes.includes(forward);

/** Only the guests of an open one without DHCP are told nothing by this host. */
export const hasDnsmasq = ({ forward, dhcp, dns }: Network): boolean =>
  forward !== 'open' || dhcp !== undefined || dns.domain !== undefined || dns.hosts.length > 0;
