/** A network that root made for ordinary users, as the host-wide registry has it. Readable by all. */
import path from 'node:path';
import type { IfName, Mac, VmName } from '../names.ts';
import type { Network, NetworkName } from './network.ts';

/** Whose VM a port is kept for, and for nobody else: root says so, by its name in the definition or in a forward. */
export interface PortKeeper {
  /** As it was written; `uid` is what counts. */
  readonly user: string;
  readonly uid: number;
  readonly vm: VmName;
}

export interface HostPort {
  readonly number: number;
  readonly device: IfName;
  readonly mac: Mac;
  /** The address that its guest gets, where the network has DHCP of its own. */
  readonly ip?: string;
  readonly kept?: PortKeeper;
  /** Absolute: whoever has it locked has the port. */
  readonly lock: string;
  /** Of a switch: its number there; `device` is the switch's tap then. */
  readonly switchPort?: number;
  /** Of a macvtap: its interface index, and its device. */
  readonly index?: number;
  readonly node?: string;
}

export interface HostNetwork {
  readonly name: NetworkName;
  readonly runId: string;
  readonly forward: 'bridge' | 'macvtap' | 'hostdev';
  /** The bridge, or the card that the macvtaps stand on, or whose virtual functions are handed out. */
  readonly on: IfName;
  /** Bytes. */
  readonly mtu: number;
  /** Who may take a port: a uid, or a gid. */
  readonly user?: number;
  readonly group?: number;
  readonly ports: readonly HostPort[];
  /** `transport: vde`: what its ports are ports of. */
  readonly vde?: HostSwitch;
  readonly definition: Network;
  /** Absolute, root's; in the registry. */
  readonly log?: string;
  /** ISO 8601; in the registry. */
  readonly startedAt?: string;
  /** It goes with the last VM that is on it; absent: `net up` keeps it. */
  readonly counted?: true;
}

/** Who may take a port: its keeper alone, else whom all of them are for. */
export const takerOf = (
  { kept }: Pick<HostPort, 'kept'>,
  { user, group }: Pick<HostNetwork, 'user' | 'group'>,
): Pick<HostNetwork, 'user' | 'group'> => {
  if (kept !== undefined) return { user: kept.uid };
  return { ...(user !== undefined && { user }), ...(group !== undefined && { group }) };
};

/** All ports of a switch are behind one interface. */
export const portInWords = ({
  device,
  switchPort,
}: {
  readonly device: string;
  readonly switchPort?: number;
}): string => (switchPort === undefined ? device : `port ${switchPort} of its switch`);

/** A VDE switch with a tap in the bridge. */
export interface HostSwitch {
  /** Whoever may go in may join. */
  readonly directory: string;
  readonly tap: IfName;
  /** Whom it runs as: a uid and a gid. */
  readonly user: number;
  readonly group: number;
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
  /** Sockets of a VDE switch. */
  readonly vde: string;
}

export function hostNetworkFiles(host: string, name: NetworkName): HostNetworkFiles {
  const ports = path.join(host, 'ports', name);
  return {
    record: path.join(host, 'networks', `${name}.json`),
    ports,
    macs: path.join(ports, 'macs.json'),
    vde: path.join(host, 'vde', name),
  };
}
