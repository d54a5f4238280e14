/**
 * A profile as the rest of the house knows it: checked, defaults filled in, paths absolute, units in the names.
 */
import type { HostAccess } from '../host-access.ts';
import type { IfName, Mac, VmName } from '../names.ts';

export interface Profile {
  readonly name: VmName;
  /** Absolute path of the file that it was read from. */
  readonly file: string;
  readonly description?: string;
  readonly cpus: { readonly sockets: number; readonly cores: number; readonly threads: number };
  readonly memoryMib: number;
  readonly accel: 'auto' | 'kvm' | 'tcg';
  readonly machine: string;
  /** Undefined: `host` under KVM, `max` under TCG. */
  readonly cpu?: string;
  readonly firmware: 'bios' | 'uefi';
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly disks: readonly Disk[];
  readonly cdrom?: string;
  readonly boot: { readonly order: readonly BootDevice[]; readonly once?: BootDevice };
  /** `none` unless it is written; `vnc` is a socket of the user's own. */
  readonly display: 'none' | 'gtk' | 'sdl' | 'vnc' | 'spice-app';
  readonly console: 'stdio' | 'none';
  readonly nics: readonly Nic[];
  readonly ephemeral: boolean;
  readonly shutdown: { readonly timeoutS: number };
  readonly hooks: { readonly beforeStart?: readonly string[]; readonly afterStop?: readonly string[] };
  readonly runAs?: string;
  readonly args: readonly string[];
}

export type BootDevice = 'disk' | 'cdrom' | 'network';
export type DiskFormat = 'raw' | 'qcow2' | 'vmdk' | 'vdi' | 'vhdx';

export interface Disk {
  /** Absolute. */
  readonly file: string;
  /** As the profile wrote it: a created disk of a read-only place goes to STATE under its base name. */
  readonly written: string;
  readonly format: DiskFormat;
  /** Bytes; the disk is created with this size if it is missing. */
  readonly sizeBytes?: number;
  /** Absolute; the disk is created as an overlay of it if it is missing. */
  readonly base?: string;
  readonly readOnly: boolean;
}

export interface NicCommon {
  /** `net0`, `net1`, … by position unless the profile says otherwise. The MAC and the PCI slot belong to it. */
  readonly id: string;
  readonly mac?: Mac;
  /** A QEMU device name: `virtio-net-pci`, `e1000`, … (`virtio` in the file is `virtio-net-pci` here). */
  readonly model: string;
  readonly queues: number;
  readonly vhost: 'auto' | 'on' | 'off';
  readonly mtu?: number;
  readonly bootIndex?: number;
}

/** One port forward, host to guest. */
export interface Forward {
  readonly protocol: 'tcp' | 'udp';
  /** A literal address or `%eth0` (that interface's addresses); 127.0.0.1 unless written. */
  readonly hostAddress: string;
  readonly hostPort: number | 'auto';
  /** A literal address, or (managed networks) a VM's name; undefined: the guest. */
  readonly guest?: string;
  readonly guestPort: number;
}

export interface UserNic extends NicCommon {
  readonly kind: 'user';
  readonly forwards: readonly Forward[];
  /** CIDR, such as 10.0.2.0/24 */
  readonly subnet?: string;
  readonly hostname?: string;
  readonly restrict: boolean;
  readonly ipv6: boolean;
  readonly dns?: string;
  /** Absolute directory. */
  readonly tftp?: string;
  readonly bootFile?: string;
}
export interface PasstNic extends NicCommon {
  readonly kind: 'passt';
  readonly forwards: readonly Forward[];
}
export interface McastNic extends NicCommon {
  readonly kind: 'mcast';
  readonly group: { readonly address: string; readonly port: number };
  readonly interface?: string;
}
export interface StreamNic extends NicCommon {
  readonly kind: 'stream';
  readonly listen?: Endpoint;
  readonly connect?: Endpoint;
}
export interface DgramNic extends NicCommon {
  readonly kind: 'dgram';
  readonly local: Endpoint;
  readonly remote: Endpoint;
}
export interface L2tpv3Nic extends NicCommon {
  readonly kind: 'l2tpv3';
  readonly source: HostEndpoint;
  readonly destination: HostEndpoint;
  readonly sessions: { readonly tx: number; readonly rx: number };
  readonly cookies?: { readonly tx: number; readonly rx: number };
}
export interface VdeNic extends NicCommon {
  readonly kind: 'vde';
  readonly socket: string;
  readonly port?: number;
  readonly group?: string;
  readonly mode?: number;
}
export interface BridgeNic extends NicCommon {
  readonly kind: 'bridge';
  readonly bridge: IfName;
  readonly helper?: string;
}
export interface TapNic extends NicCommon {
  readonly kind: 'tap';
  readonly device?: IfName;
  readonly bridge?: IfName;
}
export interface MacvtapNic extends NicCommon {
  readonly kind: 'macvtap';
  readonly parent: IfName;
  readonly mode: 'bridge' | 'private' | 'vepa' | 'passthru';
  readonly hostAccess: HostAccess;
}
export interface HostdevNic extends NicCommon {
  readonly kind: 'hostdev';
  readonly address?: string;
  readonly parent?: IfName;
  readonly vlan?: number;
}
export interface NetworkNic extends NicCommon {
  readonly kind: 'network';
  readonly network: string;
}

export interface HostEndpoint {
  readonly host: string;
  readonly port: number;
}
export type Endpoint = { readonly path: string } | HostEndpoint;

export type Nic =
  | UserNic
  | PasstNic
  | McastNic
  | StreamNic
  | DgramNic
  | L2tpv3Nic
  | VdeNic
  | BridgeNic
  | TapNic
  | MacvtapNic
  | HostdevNic
  | NetworkNic;
export type NicKindName = Nic['kind'];
