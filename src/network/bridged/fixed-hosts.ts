/** Whose addresses are known before anybody asks for one. Pure. */
import { digestOf } from '../../digest.ts';
import type { HostNetwork } from '../host-network.ts';
import type { NetworkPlan } from '../network-plan.ts';
import type { DhcpHost, Network } from '../network.ts';
import type { FixedHost } from './dnsmasq.ts';

/** What a port's lasting address is kept under: no VM has a name like that. */
export const portHolder = (number: number): string => `port/${number}`;

export const isPortHolder = (holder: string): boolean => holder.startsWith('port/');

/** A NIC that is on the network. */
export interface HolderOn {
  readonly holder?: string;
  readonly vm: string;
  readonly mac: string;
  readonly ip?: string;
}

export interface WhoIsOn {
  readonly members: readonly HolderOn[];
  /** Lasting addresses by holder. */
  readonly addresses: Readonly<Record<string, string>>;
}

export const fixedHostsOf = (network: Network, { steps }: Pick<NetworkPlan, 'steps'>, on: WhoIsOn): FixedHost[] =>
  fixedOfAll(network, steps.find((step) => step.kind === 'host-network')?.network.ports ?? [], on);

/** Addresses that belong to a MAC whoever is on the network; those of who is; and those that are kept for who is not. */
export function fixedOfAll(
  { dhcp }: Network,
  ports: HostNetwork['ports'],
  { members, addresses }: WhoIsOn,
): FixedHost[] {
  const hosts = dhcp?.hosts ?? [];
  const ofVms = hosts.flatMap(({ vm, ...host }) => (vm === undefined ? [] : [{ ...host, vm }]));
  const here = new Set(members.map(({ holder, vm }) => holder ?? vm));
  const kept = [...ofVms.map(({ vm, ip }) => [vm, ip] as const), ...Object.entries(addresses)];
  return [
    ...hosts.flatMap(({ mac, ip, name }) =>
      mac === undefined ? [] : [{ mac, ip, ...(name !== undefined && { name }) }],
    ),
    ...ports.flatMap(({ mac, ip }) => (ip === undefined ? [] : [{ mac, ip }])),
    ...members.flatMap((member) => addressesOf(member, ofVms)),
    ...kept.flatMap(([holder, ip]) => (here.has(holder) ? [] : [{ mac: keptFor(holder), ip }])),
  ];
}

/** No client has that identifier. */
const keptFor = (holder: string): string => `id:qrun-${digestOf(holder)}`;

function addressesOf(
  { holder, vm, mac, ip }: HolderOn,
  hosts: readonly (Omit<DhcpHost, 'vm'> & { readonly vm: string })[],
): FixedHost[] {
  const own = hosts.filter((host) => host.vm === (holder ?? vm));
  const name = own.find((host) => host.name !== undefined)?.name ?? vm;
  const ips = [...(ip === undefined ? [] : [ip]), ...own.map((host) => host.ip)];
  return [...new Set(ips)].map((one) => ({ mac, ip: one, name }));
}
