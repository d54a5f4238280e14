/** What the interfaces are called that qrun makes. A VM's NIC has the same names from run to run; no other VM of any user's has them. */
import { digestOf } from './digest.ts';
import type { IfName } from './names.ts';

export interface LinkOf {
  /** The state directory: VMs of one name in two of them are two VMs. */
  readonly state: string;
  readonly vm: string;
  readonly nic: string;
  readonly role: 'tap' | 'macvtap' | 'host';
}

/** `qr-` and twelve hex digits: the fifteen bytes that the kernel allows. */
export const linkNameOf = (link: LinkOf): IfName => `qr-${digestOf(textOf(link)).slice(0, 12)}` as IfName;

/**
 * A high interface index, chosen and not left to the kernel: the device node of a macvtap is called by it, all namespaces of a host share
 * those names, and the kernel counts anew from 1 in each.
 */
export const linkIndexOf = (link: LinkOf): number =>
  lowestIndex + Number.parseInt(digestOf(`${textOf(link)}#`).slice(0, 7), 16);

const lowestIndex = 0x1000_0000;

/** Proves whose it is, together with the name and the journal. Without blanks: `ip -batch` reads words. */
export const linkAliasOf = ({ state, vm, nic }: Omit<LinkOf, 'role'>): string => `qrun:${vm}/${nic}:${digestOf(state)}`;

const textOf = ({ state, vm, nic, role }: LinkOf): string => [role, vm, nic, state].join('\0');
