/** Who is connected to what: what `qrun net map --json` prints, and what the tree and the picture are drawn from. */

export interface MapDocument {
  readonly vms: readonly MapVm[];
  readonly networks: readonly MapNetwork[];
}

export interface MapVm {
  readonly vm: string;
  readonly state: string;
  /** The profile's file, where it is known. */
  readonly profile: string | null;
  readonly nics: readonly MapNic[];
}

export interface MapNic {
  readonly id: string;
  readonly kind: string;
  readonly model: string;
  /** Null: it has none yet; the first run gives it one. */
  readonly mac: string | null;
  readonly ips: readonly string[];
  /** The id of what it hangs on. */
  readonly network: string;
  /** Which end of a cable it is: `listens`, `connects`. */
  readonly end: string | null;
  readonly hostInterface: string | null;
  /** `lost`: what carried it is gone, and the VM must be started anew. */
  readonly link: 'lost' | null;
  /** Those of the NIC's own; `guest` is null: the guest itself. */
  readonly forwards: readonly MapForward[];
}

export interface MapForward {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  readonly hostPort: number | 'auto';
  /** A VM's name or an address. */
  readonly guest: string | null;
  /** On a managed network: where it really leads. */
  readonly guestAddress?: string;
  readonly guestPort: number;
}

/**
 * `managed`: a network of qrun's. `private`: the NAT that one NIC has for itself. `cable`: a stream or datagrams between two. The others are what they
 * are called.
 */
export type MapNetworkKind =
  | 'managed'
  | 'mcast'
  | 'cable'
  | 'vde'
  | 'tunnel'
  | 'bridge'
  | 'tap'
  | 'macvtap'
  | 'device'
  | 'private'
  | 'other';

export interface MapNetwork {
  readonly id: string;
  readonly kind: MapNetworkKind;
  readonly name: string;
  /** Of a managed network: `up`, `pinned`, `defined`, `broken`; `missing` when a profile names one that there is not. */
  readonly state: string | null;
  /** Of a managed network: how it leads out. */
  readonly forward: string | null;
  readonly transport: string | null;
  readonly scope: string | null;
  readonly subnet: string | null;
  /** Where it leads: `outside` (whatever the host itself reaches), `host` (the host's own network), or an interface of the host's. Null: nowhere. */
  readonly uplink: string | null;
  readonly forwards: readonly MapForward[];
}
