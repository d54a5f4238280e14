/**
 * What the switch process of a `transport: hub` network is told: one JSON file, read at its start and again on SIGHUP.
 * The switch is a program of its own (dist/switch.cjs); it knows nothing of profiles and commands.
 */
export interface SwitchConfig {
  readonly v: 1;
  readonly network: string;
  /** Every socket `*.port` in this directory is a guest's QEMU that waits to be connected to. */
  readonly ports: string;
  /** The gateway's QEMU waits on this socket (in the same directory, not called `*.port`). It gets group frames, and what is sent to its own MACs: nothing else. */
  readonly gatewayPort: string;
  /** One `*.json` (SwitchMember) for each NIC. */
  readonly members: string;
  /** Written whole, atomically, whenever a lease changes: SwitchLeases. Read at the start. */
  readonly leases: string;
  /** `10.44.0.0/24` */
  readonly subnet: string;
  /** The gateway's address; the DHCP server speaks in its name. */
  readonly gateway: string;
  /** The address that guests ask for names. The switch answers what it knows; the rest goes on to the gateway's QEMU (slirp), unless isolated. */
  readonly dnsServer: string;
  /** No way out: no router and no answers from outside. */
  readonly isolated: boolean;
  readonly dhcp?: {
    readonly ranges: readonly { readonly from: string; readonly to: string }[];
    readonly leaseS: number;
    readonly maxLeaseS: number;
    /** By MAC; those of VMs come with the members. */
    readonly hosts: readonly { readonly mac: string; readonly ip: string; readonly name?: string }[];
    /** Raw further options: code 1 to 254, value in hex. */
    readonly options: readonly { readonly code: number; readonly hex: string }[];
    /** Addresses that belong to VMs, running or not, and are handed to nobody else. */
    readonly reserved: readonly string[];
    readonly domain?: string;
    readonly search: readonly string[];
    readonly mtu?: number;
    readonly tftp?: { readonly server: string; readonly file?: string };
  };
  readonly names: {
    readonly domain?: string;
    readonly hosts: readonly { readonly ip: string; readonly names: readonly string[] }[];
  };
}

/** Written by qrun when a VM joins, removed when it leaves. */
export interface SwitchMember {
  readonly v: 1;
  readonly vm: string;
  readonly nic: string;
  /** The name that its address is kept under. Not for the switch. */
  readonly holder?: string;
  readonly mac: string;
  /** Its port socket's file name; absent on transports without one. */
  readonly port?: string;
  /** The address that DHCP hands to this MAC, always the same. */
  readonly ip?: string;
  /** By which the others know it: the VM's name as a host name. */
  readonly hostName?: string;
  /** Its tap, on a network with a bridge of its own. */
  readonly device?: string;
  /** ISO 8601 */
  readonly since: string;
}

export interface SwitchLeases {
  readonly v: 1;
  readonly leases: readonly {
    readonly mac: string;
    readonly ip: string;
    /** What the guest called itself, if it said so. */
    readonly hostName?: string;
    /** Seconds since the epoch. */
    readonly expires: number;
  }[];
}
