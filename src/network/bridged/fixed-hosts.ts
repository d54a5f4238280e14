/** Whose addresses are known before anybody asks for one. Pure. */
import type { HostNetwork } from '../host-network.ts';
import type { NetworkPlan } from '../network-plan.ts';
import type { Network } from '../network.ts';
import type { FixedHost } from './dnsmasq.ts';

/** What a port's lasting address is kept under: no VM has a name like that. */
export const portHolder = (number: number): string => `port/${number}`;

export const isPortHolder = (holder: string): boolean => holder.startsWith('port/');

/** Addresses that belong to a MAC whoever is on the network: those of the definition, and those of ports. */
export const fixedHostsOf = (network: Network, { steps }: Pick<NetworkPlan, 'steps'>): FixedHost[] =>
  fixedOfAll(network, steps.find((step) => step.kind === 'host-network')?.network.ports ?? []);

export function fixedOfAll({ dhcp }: Network, ports: HostNetwork['ports']): FixedHost[] {
  return [
    ...(dhcp?.hosts ?? []).flatMap(({ mac, ip, name }) =>
      mac === undefined ? [] : [{ mac, ip, ...(name !== undefined && { name }) }],
    ),
    ...ports.flatMap(({ mac, ip }) => (ip === undefined ? [] : [{ mac, ip }])),
  ];
}
