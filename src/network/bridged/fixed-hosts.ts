/** Whose addresses are known before anybody asks for one. Pure. */
import { digestOf } from '../../digest.ts';
import type { HostNetwork } from '../host-network.ts';
import { hostNetworkOf, type NetworkPlan } from '../network-plan.ts';
import type { DhcpHost, Network } from '../network.ts';
import { isUserVm, renderUserVm } from '../user-vm.ts';
import type { FixedHost } from './dnsmasq.ts';

/** What a port's lasting address is kept under: no VM has a name like that. */
export const portHolder = (number: number): string => `port/${number}`;

/** Of one that is up: they are nobody else's, whoever has the ports. */
export const portHoldersOf = (plan: Pick<NetworkPlan, 'attach' | 'steps'>): string[] =>
  (hostNetworkOf(plan)?.ports ?? []).map(({ number }) => portHolder(number));

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

/**
 * Addresses that belong to a MAC whoever is on the network; those of who is; and those that are kept for who is not. Of two that would be known by one
 * name, the first is: what the definition names, then VMs of root's, then those that are named in forwards alone.
 */
export function fixedOfAll(
  { dhcp }: Pick<Network, 'dhcp'>,
  ports: HostNetwork['ports'],
  { members, addresses }: WhoIsOn,
): FixedHost[] {
  const hosts = dhcp?.hosts ?? [];
  const ofVms = hosts.flatMap(({ vm, ...host }) => (vm === undefined ? [] : [{ ...host, vm }]));
  const ofRoot = ofVms.filter(({ vm }) => !isUserVm(vm));
  const ofMembers = members.flatMap((member) => addressesOf(member, ofRoot));
  const known = new Set(ofMembers.map(({ name }) => name));
  const here = new Set(members.map(({ holder, vm }) => holder ?? vm));
  const kept = [...ofRoot.map(({ vm, ip }) => [vm, ip] as const), ...Object.entries(addresses)];
  return [
    ...hosts.flatMap(({ mac, ip, name }) =>
      mac === undefined ? [] : [{ mac, ip, ...(name !== undefined && { name }) }],
    ),
    ...ports.flatMap((port) => ofKeeper(port, ofVms)),
    ...ports.flatMap(({ mac, ip, kept: keeper }) => {
      if (ip === undefined) return [];
      return [{ mac, ip, ...(keeper !== undefined && !known.has(keeper.vm) && { name: keeper.vm }) }];
    }),
    ...ofMembers,
    ...kept.flatMap(([holder, ip]) => (here.has(holder) ? [] : [{ mac: keptFor(holder), ip }])),
  ];
}

/** No client has that identifier. */
const keptFor = (holder: string): string => `id:qrun-${digestOf(holder)}`;

type HostOfVm = Omit<DhcpHost, 'vm'> & { readonly vm: string };

/** What the definition gives to the VM that a port is kept for. */
function ofKeeper({ mac, kept }: HostNetwork['ports'][number], hosts: readonly HostOfVm[]): FixedHost[] {
  if (kept === undefined) return [];
  const own = hosts.filter(({ vm }) => vm === renderUserVm(kept));
  const name = own.find((host) => host.name !== undefined)?.name ?? kept.vm;
  return own.map(({ ip }) => ({ mac, ip, name }));
}

function addressesOf({ holder, vm, mac, ip }: HolderOn, hosts: readonly HostOfVm[]): FixedHost[] {
  const own = hosts.filter((host) => host.vm === (holder ?? vm));
  const name = own.find((host) => host.name !== undefined)?.name ?? vm;
  const ips = [...(ip === undefined ? [] : [ip]), ...own.map((host) => host.ip)];
  return [...new Set(ips)].map((one) => ({ mac, ip: one, name }));
}
