/** What DHCP has handed out on a network, be it by the switch, by dnsmasq or by dhcpd: from their files. Read only; none where that cannot be told. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseDhcpdLeases } from '../network/bridged/dhcpd.ts';
import { dhcpdLeases, dnsmasqLeases } from '../network/bridged/files.ts';
import { parseDnsmasqLeases, parseDnsmasqLeases6, type Dhcp6Lease } from '../network/bridged/leases.ts';
import type { SwitchLeases } from '../switch/config.ts';
import { QrunError } from '../errors.ts';
import { readStateFile } from '../system/state-files.ts';

export type Lease4 = SwitchLeases['leases'][number];

/** Of IPv4, over or not. @param file the switch's @param by whose file counts where the network had another server before; none: all */
export const readLeases = (file: string, by?: 'dnsmasq' | 'dhcpd'): readonly Lease4[] => [
  ...readSwitchLeases(file),
  ...(by === 'dhcpd' ? [] : parseDnsmasqLeases(readBeside(file, dnsmasqLeases))),
  ...(by === 'dnsmasq' ? [] : parseDhcpdLeases(readBeside(file, dhcpdLeases))),
];

/** Of IPv6, which dnsmasq alone hands out. */
export const readLeases6 = (file: string): readonly Dhcp6Lease[] =>
  parseDnsmasqLeases6(readBeside(file, dnsmasqLeases));

/** Leases that are not over. */
export const isCurrent = ({ expires }: { readonly expires: number }): boolean => expires > Date.now() / 1000;

function readBeside(file: string, name: string): string {
  try {
    return readFileSync(path.join(path.dirname(file), name), 'utf8');
  } catch {
    return '';
  }
}

function readSwitchLeases(file: string): readonly Lease4[] {
  try {
    const read = readStateFile(file, { leave: true });
    if (read.state !== 'read') return [];
    const { leases } = read.value as unknown as SwitchLeases;
    return Array.isArray(leases) ? leases : [];
  } catch (error) {
    if (error instanceof QrunError) return [];
    throw error;
  }
}
