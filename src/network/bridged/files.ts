/** Paths of a network of the host's, beside those of every network. Pure. */
import path from 'node:path';
import type { NetworkFiles } from '../../plan/network-files.ts';
import type { NetworkName } from '../network.ts';

/** Beside the leases of a switch. */
export const dnsmasqLeases = 'dnsmasq.leases';
export const dhcpdLeases = 'dhcpd.leases';

export interface BridgedFiles {
  /** dnsmasq's configuration, which it reads as root. */
  readonly config: string;
  /** Fixed addresses. dnsmasq reads them again when it is root no more: so they lie where all can read. */
  readonly hosts: string;
  /** The names of those addresses, as in /etc/hosts. */
  readonly names: string;
  readonly leases: string;
  /** Written when it has bound its sockets. */
  readonly pid: string;
  /** Of the one that answers DHCP in place of dnsmasq, root's all of them. */
  readonly dhcpd: { readonly config: string; readonly leases: string; readonly pid: string };
}

export interface BridgedFilesOf {
  readonly files: Pick<NetworkFiles, 'dir' | 'runtimeDir'>;
  /** The host-wide directory. */
  readonly host: string;
  readonly name: NetworkName;
}

export const bridgedFiles = ({ files, host, name }: BridgedFilesOf): BridgedFiles => ({
  config: path.join(files.dir, 'dnsmasq.conf'),
  hosts: path.join(host, 'dnsmasq', `${name}.hosts`),
  names: path.join(host, 'dnsmasq', `${name}.names`),
  leases: path.join(files.dir, dnsmasqLeases),
  pid: path.join(files.runtimeDir, 'dnsmasq.pid'),
  dhcpd: {
    config: path.join(files.dir, 'dhcpd.conf'),
    leases: path.join(files.dir, dhcpdLeases),
    pid: path.join(files.runtimeDir, 'dhcpd.pid'),
  },
});
