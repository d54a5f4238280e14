/** A network that root made for ordinary users, as the host-wide registry has it. Readable by all. */
import path from 'node:path';
import type { IfName, Mac } from '../names.ts';
import type { Network, NetworkName } from './network.ts';

export interface HostPort {
  readonly number: number;
  readonly device: IfName;
  readonly mac: Mac;
  /** The address that its guest gets, where the network has DHCP of its own. */
  readonly ip?: string;
  /** Absolute: whoever has it locked has the port. */
  readonly lock: string;
  /** Of a macvtap: its interface index, and its device. */
  readonly index?: number;
  readonly node?: string;
}

export interface HostNetwork {
  readonly name: NetworkName;
  readonly runId: string;
  readonly forward: 'bridge' | 'macvtap';
  /** The bridge, or the card that the macvtaps stand on. */
  readonly on: IfName;
  /** Bytes. */
  readonly mtu: number;
  /** Who may take a port: a uid, or a gid. */
  readonly user?: number;
  readonly group?: number;
  readonly ports: readonly HostPort[];
  readonly definition: Network;
  /** ISO 8601; in the registry. */
  readonly startedAt?: string;
}

/** Who had a port last: the text of its lock file. */
export interface PortHolder {
  readonly uid: number;
  /** Digest of the state directory: VMs of one name in two of them are two VMs. */
  readonly state: string;
  readonly vm: string;
  readonly nic: string;
}

export interface HostNetworkFiles {
  readonly record: string;
  /** Lock files `0`, `1`, … */
  readonly ports: string;
  readonly macs: string;
}

export function hostNetworkFiles(host: string, name: NetworkName): HostNetworkFiles {
  const ports = path.join(host, 'ports', name);
  return { record: path.join(host, 'networks', `${name}.json`), ports, macs: path.join(ports, 'macs.json') };
}
