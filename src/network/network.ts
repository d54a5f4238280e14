/**
 * A managed network as the rest of the house knows it: checked, defaults filled in, units in the names. One definition is one YAML file.
 */
import type { HostAccess } from '../host-access.ts';
import type { IfName, Mac, VmName } from '../names.ts';
import type { GuestForward } from './guest-forward.ts';

export type ForwardMode = 'nat' | 'route' | 'open' | 'isolated' | 'bridge' | 'macvtap' | 'hostdev';
export type NetworkScope = 'system' | 'user';
export type Transport = 'tap' | 'vde' | 'hub';

/** `[A-Za-z0-9][A-Za-z0-9_.-]{0,39}`, the same form as a VM's name. */
export type NetworkName = VmName;

export interface Network {
  readonly name: NetworkName;
  /** Absolute path of the file that it was read from. */
  readonly file: string;
  readonly description?: string;
  readonly forward: ForwardMode;
  readonly scope: NetworkScope | 'auto';
  /** Undefined: what suits the scope (see network/plan). */
  readonly transport?: Transport;
  readonly bridge?: {
    readonly name?: IfName;
    readonly stp?: boolean;
    readonly forwardDelay?: number;
    readonly mac?: Mac | 'auto';
    readonly uplink?: IfName;
  };
  /** The host's (or the gateway's) own addresses, in CIDR form, such as 10.10.120.1/24. Empty: one is made from the name. */
  readonly addresses: readonly string[];
  /** Undefined: no DHCP. In the file `true` means the defaults and `false` none; nothing means `true` for nat and isolated, else `false`. */
  readonly dhcp?: Dhcp;
  readonly dns: Dns;
  readonly hostDns: boolean;
  /** `guest` is a VM (see user-vm), or an address; always given. */
  readonly forwards: readonly GuestForward[];
  readonly nat?: {
    readonly ports?: { readonly from: number; readonly to: number };
    readonly dev?: IfName;
    /** Guests' IPv6 leaves under the host's address too. */
    readonly ipv6?: boolean;
  };
  /** Of mode route. */
  readonly route?: { readonly dev?: IfName };
  readonly ports?: number;
  readonly owner?: string;
  readonly group?: string;
  readonly hostAccess: HostAccess;
  readonly isolatedPorts: boolean;
  readonly antiSpoof: boolean;
  readonly links: readonly NetworkLink[];
  readonly mtu?: number;
  /** Of the virtual functions that mode hostdev hands out. */
  readonly vlan?: number;
  readonly autostart: boolean;
}

export interface NetworkLink {
  readonly vxlan: {
    readonly id: number;
    readonly peers: readonly string[];
    readonly port: number;
    readonly dev?: IfName;
  };
}

export interface Dhcp {
  readonly server: 'dnsmasq' | 'dhcpd' | 'auto';
  /** Empty: what the subnet has left. Both ends included. */
  readonly ranges: readonly { readonly from: string; readonly to: string }[];
  readonly leaseS: number;
  readonly maxLeaseS?: number;
  readonly options: readonly { readonly option: string; readonly value: string }[];
  readonly hosts: readonly DhcpHost[];
  readonly tftp?: { readonly root: string; readonly file?: string };
}

export interface DhcpHost {
  /** Either a VM (`web1`, or `alice/web1` on a system network: see user-vm), or a MAC. */
  readonly vm?: string;
  readonly mac?: Mac;
  readonly ip: string;
  readonly name?: string;
}

export interface Dns {
  readonly domain?: string;
  readonly search: readonly string[];
  readonly hosts: readonly { readonly ip: string; readonly names: readonly string[] }[];
  readonly forwarders: readonly string[];
  readonly records: {
    readonly txt: readonly { readonly name: string; readonly text: string }[];
    readonly srv: readonly { readonly name: string; readonly target: string; readonly port: number }[];
  };
}
