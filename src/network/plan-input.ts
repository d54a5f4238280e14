/** What the plan of a network is made from, besides its definition: everything that was read, chosen or reserved before. */
import type { NetworkFiles } from '../plan/network-files.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import type { HostAccessFact } from '../host/host-access.ts';
import type { PciPart } from '../host/pci-door.ts';
import type { HostLink } from '../host/host-link.ts';
import type { Mac } from '../names.ts';
import type { LinkFact } from '../host/facts.ts';
import type { RouteFact } from '../host/routes.ts';
import type { Underlay } from '../host/underlay.ts';
import type { UplinkFact } from '../host/uplink.ts';
import type { KeptPort } from './bridged/kept-ports.ts';
import type { NetworkForward } from './network-plan.ts';
import type { NetworkName } from './network.ts';

export interface NetworkFacts {
  /** Only asked where it is the way out of a user's network. */
  readonly qemu?: QemuCapabilities;
  /** Absolute: node, and the bundle of the switch. */
  readonly node: string;
  readonly switchBundle: string;
  /** Absolute paths of what was found: `vde_switch`, `slirpvde`. */
  readonly tools: Readonly<Record<string, string>>;
  /** Only needed where a forward names an interface (`interfacesOf`). */
  readonly links?: readonly LinkFact[];
  /** Networks that the host itself reaches; none: overlaps are not looked for. */
  readonly routes?: readonly RouteFact[];
  /** Only read for a network of the host's that is to come up. */
  readonly others?: readonly OtherNetwork[];
  /** Only read for a network whose ports root makes. */
  readonly ports?: PortFacts;
}

/** Another network of the host's with a bridge of its own: what it has, nobody else can have. */
export interface OtherNetwork {
  readonly name: NetworkName;
  /** The definition's. */
  readonly file: string;
  readonly isUp: boolean;
  readonly subnets: readonly string[];
  /** Those that are in force. */
  readonly forwards: readonly NetworkForward[];
}

/** What ports for ordinary users are made from. */
export interface PortFacts {
  /** The host-wide directory, and root's own state. */
  readonly host: string;
  readonly state: string;
  /** Of each port, kept or drawn. */
  readonly macs: readonly Mac[];
  /** Who may take one: a uid, or a gid. */
  readonly user?: number;
  readonly group?: number;
  /** Those of them that are kept for users' VMs by name. */
  readonly kept?: readonly KeptPort[];
  /** The bridge, or the card that macvtaps stand on; undefined: there is none of that name. */
  readonly link?: HostLink;
  /** The card that is to be a port of a network's own bridge; undefined: there is none of that name. */
  readonly uplink?: UplinkFact;
  /** Only read for a network with links to other hosts. */
  readonly underlay?: Underlay;
  /** Of a card whose virtual functions are handed out. */
  readonly pci?: PciPart;
  /** Of a card that the host is to have a way on. */
  readonly way?: HostAccessFact;
  readonly rights: boolean;
  /** There is a host-wide registry of MACs. */
  readonly registry: boolean;
  /** Who runs the switch of `transport: vde`. */
  readonly account?: { readonly uid: number; readonly gid: number };
  /** It runs here. */
  readonly udev: boolean;
  readonly ipv6: boolean;
  /** Who can be told of name servers; only looked for where `hostDns` is. `stopped`: systemd-resolved could be, if it ran. */
  readonly resolver?: 'resolvectl' | 'resolvconf' | 'stopped';
  /** Interfaces by which the host would lose its own routes of IPv6 if it forwarded. */
  readonly advertised?: readonly string[];
}

/** The tap of a VM that is on a network with a bridge of its own. */
export interface GuestTap {
  readonly device: string;
  /** As the definition names it (see user-vm); undefined: it has no addresses there. */
  readonly vm?: string;
  readonly mac: string;
  readonly ip?: string;
}

export interface NetworkPlanInput {
  readonly files: NetworkFiles;
  readonly uid: number;
  readonly facts: NetworkFacts;
  /** Those of root's VMs that are on it; ports are known besides. */
  readonly guests?: readonly GuestTap[];
  /** Lasting addresses by holder (a VM's name): at least those of all VMs that forwards name (`guestsOf`). */
  readonly addresses: Readonly<Record<string, string>>;
  /** Forwards that were taken away while it is up. */
  readonly withdrawn?: readonly NetworkForward[];
  /** Marks the processes of this run. */
  readonly mark: string;
  /** It stays when nobody is on it. */
  readonly pinned: boolean;
  /** The command that ends the network when nobody is on it any more. */
  readonly release: readonly string[];
  /** Real ports of `auto` forwards by step id, once they are taken. */
  readonly ports?: Readonly<Record<string, number>>;
  /** Ports that `auto` forwards had in the last run, by step id without `port:`. */
  readonly lastPorts?: Readonly<Record<string, number>>;
}
