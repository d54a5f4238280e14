/**
 * What the interfaces are called that qrun makes. Those of a VM's NICs follow from a seed that each run uses up (resources/link-names); those of a
 * network's ports last, and follow from the network.
 */
import { digestOf } from './digest.ts';
import type { IfName } from './names.ts';

export type LinkRole = 'tap' | 'macvtap' | 'host' | 'bridge' | 'vxlan';

export interface LinkName {
  readonly seed: string;
  readonly nic: string;
  readonly role: LinkRole;
}

/** `qr-` and twelve hex digits: the fifteen bytes that the kernel allows. */
export const linkNameOf = (link: LinkName): IfName => `qr-${digestOf(textOf(link)).slice(0, 12)}` as IfName;

export const isLinkName = (name: string): boolean => /^qr-[0-9a-f]{12}$/.test(name);

/**
 * A high interface index, chosen and not left to the kernel: the device node of a macvtap is called by it, all namespaces of a host share
 * those names, and the kernel counts anew from 1 in each.
 */
export const linkIndexOf = (link: LinkName): number =>
  lowestIndex + Number.parseInt(digestOf(`${textOf(link)}#`).slice(0, 7), 16);

const lowestIndex = 0x1000_0000;

const textOf = ({ seed, nic, role }: LinkName): string => [role, nic, seed].join('\0');

export interface LinkOwner {
  /** The state directory: VMs of one name in two of them are two VMs. */
  readonly state: string;
  /** Of a network's port: `net/NAME`. */
  readonly vm: string;
  readonly nic: string;
  readonly role: LinkRole;
}

/** Proves whose it is, together with the name and the journal. Without blanks: `ip -batch` reads words. */
export const linkAliasOf = ({ state, vm, nic, role }: LinkOwner): string =>
  `qrun:${vm}/${nic}:${role}:${digestOf(state)}`;

export interface LinkAlias extends Omit<LinkOwner, 'state'> {
  /** Digest of the state directory. */
  readonly state: string;
}

/** Undefined: qrun gives no such alias. */
export function parseLinkAlias(alias: string): LinkAlias | undefined {
  const word = '[A-Za-z0-9][A-Za-z0-9_.-]*';
  const pattern = new RegExp(`^qrun:((?:net/)?${word})/(${word}):(tap|macvtap|host|bridge|vxlan):([0-9a-f]{16})$`);
  const [, vm, nic, role, state] = pattern.exec(alias) ?? [];
  if (vm === undefined || nic === undefined || role === undefined || state === undefined) return undefined;
  return { vm, nic, role: role as LinkRole, state };
}

/** Whether it is the alias of a port of a network, which lives without a process. */
export const isPortAlias = ({ vm }: LinkAlias): boolean => vm.startsWith('net/');
