/**
 * Whose VM a name on a network of root's means: `web1` is root's, `alice/web1` another user's. In a definition with an `owner`, plain names are the owner's;
 * they are read so once, and everything behind knows the two forms alone. Pure.
 */
import { isVmName, type VmName } from '../names.ts';
import { isIpLiteral } from '../profile/address.ts';
import type { Network } from './network.ts';

export interface UserVm {
  readonly user: string;
  readonly vm: VmName;
}

const userVmPattern = '[A-Za-z_][A-Za-z0-9_.-]{0,31}/[A-Za-z0-9][A-Za-z0-9_.-]{0,39}';
const written = new RegExp(`^${userVmPattern}$`);

export const isUserVm = (name: string): boolean => written.test(name);

/** Undefined: it is root's, or an address. */
export function parseUserVm(name: string): UserVm | undefined {
  if (!isUserVm(name)) return undefined;
  const [user = '', vm = ''] = name.split('/');
  return isVmName(vm) ? { user, vm } : undefined;
}

export const renderUserVm = ({ user, vm }: UserVm): string => `${user}/${vm}`;

/** @param owner of the network; undefined: it is root's */
export function fullGuestName(guest: string, owner: string | undefined): string {
  if (guest.startsWith('root/')) return guest.slice('root/'.length);
  if (owner === undefined || owner === 'root' || guest.includes('/') || isIpLiteral(guest)) return guest;
  return `${owner}/${guest}`;
}

type Naming = Pick<Network, 'dhcp' | 'forwards' | 'owner'>;

/** The same, with each VM's name in full. */
export function withFullNames<T extends Naming>(network: T): T {
  const { dhcp, forwards, owner } = network;
  return {
    ...network,
    ...(dhcp !== undefined && {
      dhcp: {
        ...dhcp,
        hosts: dhcp.hosts.map((host) =>
          host.vm === undefined ? host : { ...host, vm: fullGuestName(host.vm, owner) },
        ),
      },
    }),
    forwards: forwards.map((forward) => ({ ...forward, guest: fullGuestName(forward.guest, owner) })),
  };
}

/** Those of users that it names, each once: a port is kept for each. */
export function userVmsOf({ dhcp, forwards }: Pick<Naming, 'dhcp' | 'forwards'>): UserVm[] {
  const names = [...(dhcp?.hosts ?? []).map(({ vm = '' }) => vm), ...forwards.map(({ guest }) => guest)];
  return [...new Set(names)].flatMap((name) => parseUserVm(name) ?? []);
}
