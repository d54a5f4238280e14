/**
 * The plan of a managed network: pure data, complete before anything is changed. `qrun net show --json` and `qrun show` print it, networks/ walks it.
 */
import type { HostAccess } from '../host-access.ts';
import type { Step } from '../plan/step.ts';
import type { IfName } from '../names.ts';
import type { HostNetwork } from './host-network.ts';
import type { ForwardMode, NetworkName, NetworkScope, Transport } from './network.ts';

export interface NetworkPlan {
  readonly v: 1;
  readonly network: NetworkName;
  /** It is up: these are the steps that were taken. */
  readonly running?: true;
  /** The definition's file. */
  readonly file: string;
  readonly scope: NetworkScope;
  readonly transport: Transport;
  readonly forward: ForwardMode;
  /** Where the guests' gateway is, and who answers names; absent where there is no such thing. */
  readonly subnet?: string;
  readonly gateway?: string;
  readonly dnsServer?: string;
  /** How a VM's QEMU gets onto it. */
  readonly attach:
    /** QEMU listens on a unix stream socket of its own in this directory, and the switch connects. */
    | { readonly by: 'socket-directory'; readonly directory: string }
    /** QEMU joins the VDE switch that listens in this directory. */
    | { readonly by: 'vde'; readonly directory: string }
    /** Root's VM gets a tap on it. */
    | { readonly by: 'bridge'; readonly bridge: IfName; readonly mtu: number; readonly isolated: boolean }
    /** Root's VM gets a macvtap of its own on the card. */
    | {
        readonly by: 'macvtap';
        readonly card: IfName;
        readonly mtu: number;
        readonly mode: 'bridge' | 'private';
        readonly hostAccess: HostAccess;
      }
    /** Root's VM gets a free virtual function of the card for itself. */
    | { readonly by: 'hostdev'; readonly card: IfName; readonly mtu: number; readonly vlan?: number }
    /** It takes a port that root made: a tap or a macvtap. */
    | { readonly by: 'port'; readonly host: HostNetwork }
    /** Root made none: by qemu-bridge-helper, if it lets. */
    | { readonly by: 'helper'; readonly bridge: IfName };
  readonly forwards: readonly NetworkForward[];
  /** To other hosts. */
  readonly links?: readonly NetworkPlanLink[];
  /** What VMs' lasting addresses are taken from: ranges with both ends, and what lies in them and is never given (gateway, name server). Absent: no DHCP. */
  readonly pool?: {
    readonly ranges: readonly { readonly from: string; readonly to: string }[];
    readonly kept: readonly string[];
  };
  /** The lasting addresses of the VMs that this is about, by holder. */
  readonly addresses?: Readonly<Record<string, string>>;
  /** Addresses that the definition gives to a MAC, whoever has it. */
  readonly fixedByMac?: Readonly<Record<string, string>>;
  /** In the order in which they are taken; given back in reverse. */
  readonly steps: readonly Step[];
  readonly notes: readonly string[];
}

/** A VXLAN. */
export interface NetworkPlanLink {
  readonly device: IfName;
  readonly id: number;
  /** Of UDP. */
  readonly port: number;
  /** Without this host itself. */
  readonly peers: readonly string[];
  readonly dev?: IfName;
  /** What fits through it, in bytes. */
  readonly mtu: number;
}

/** What root tells all users of a network, with its ports; undefined: it is a user's own. */
export const hostNetworkOf = ({ attach, steps }: Pick<NetworkPlan, 'attach' | 'steps'>): HostNetwork | undefined =>
  attach.by === 'port' ? attach.host : steps.find((step) => step.kind === 'host-network')?.network;

/** A port forward into the network, the guest resolved to an address. */
export interface NetworkForward {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  readonly hostPort: number | 'auto';
  /** As written: a VM's name or an address. */
  readonly guest: string;
  readonly guestAddress: string;
  readonly guestPort: number;
}
