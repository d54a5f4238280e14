/** Ports that are kept for users' VMs by their names: so their addresses are known before they run. Pure. */
import { parseAddress } from '../../subnet.ts';
import type { PortKeeper } from '../host-network.ts';
import type { Network } from '../network.ts';
import { renderUserVm } from '../user-vm.ts';
import { portHolder } from './fixed-hosts.ts';

export interface KeptPort extends PortKeeper {
  readonly number: number;
}

type Fixed = Pick<Network, 'dhcp'>;

/** What the definition gives to a VM, of one family. @param name in full */
export const fixedAddressOf = ({ dhcp }: Fixed, name: string, family: 4 | 6): string | undefined =>
  dhcp?.hosts.find(({ vm, ip }) => vm === name && parseAddress(ip)?.family === family)?.ip;

/** The address that a kept port's guest gets. @param addresses lasting ones, by holder */
export const addressOfKept = (
  network: Fixed,
  { number, ...who }: KeptPort,
  addresses: Readonly<Record<string, string>>,
): string | undefined => fixedAddressOf(network, renderUserVm(who), 4) ?? addresses[portHolder(number)];

/** By the VM's name in full. */
export const addressesOfKept = (
  network: Fixed,
  kept: readonly KeptPort[],
  addresses: Readonly<Record<string, string>>,
): Record<string, string> =>
  Object.fromEntries(
    kept.flatMap((one): [string, string][] => {
      const ip = addressOfKept(network, one, addresses);
      return ip === undefined ? [] : [[renderUserVm(one), ip]];
    }),
  );

/** Of IPv6, by the VM's name in full: what a forward of that family leads to. */
export const sixOfVms = ({ dhcp }: Fixed): Record<string, string> =>
  Object.fromEntries(
    (dhcp?.hosts ?? []).flatMap(({ vm, ip }): [string, string][] =>
      vm !== undefined && ip.includes(':') ? [[vm, ip]] : [],
    ),
  );
