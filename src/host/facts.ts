/**
 * What a look at the machine found: everything that a plan depends on, read once, changed by nobody.
 */
import type { QrunError } from '../errors.ts';
import type { Mac } from '../names.ts';
import type { HostPort, PortHolder } from '../network/host-network.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { Places } from '../places.ts';
import type { QemuCapabilities } from '../qemu/capabilities.ts';
import type { DiskFormat } from '../profile/profile.ts';
import type { BridgeDoor } from './bridge-door.ts';
import type { LinkDoor } from './link-door.ts';
import type { PciDoor } from './pci-door.ts';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
  readonly home: string;
}

/** An account that root's QEMU is dropped to. */
export interface RunAs {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface DiskFact {
  /** The directory that it would lie in is not there. */
  readonly noDirectory?: true;
  readonly file: string;
  /** What it is behind links. */
  readonly realFile?: string;
  readonly exists: boolean;
  /** Whether QEMU's user may read it; absent for what does not exist. */
  readonly readable?: boolean;
  /** Whether the user may write the file, or make it in its directory. */
  readonly writable: boolean;
  /** For an existing image: what its header says (never probed by QEMU). */
  readonly image?: {
    readonly format: DiskFormat | 'raw';
    readonly backingFile?: string;
    readonly backingFormat?: string;
    readonly dataFile?: string;
  };
}

export interface LinkFact {
  readonly name: string;
  readonly mac?: string;
  readonly addresses: readonly string[];
  readonly up: boolean;
  readonly kind?: string;
}

/** What is known of passt before it is started. */
export interface PasstFact {
  /** Absolute. */
  readonly file: string;
  /** Of August 2024 or later: it forwards one port on several addresses, and answers for name servers on the host's loopback. */
  readonly recent: boolean;
  /** No interface has a default route, and this passt does not start without one. */
  readonly unrouted?: boolean;
  /** All of the host's name servers are on its loopback, out of a guest's reach. */
  readonly loopbackDns: boolean;
  /** AppArmor's profile of passt lets it write below home directories and /tmp alone. */
  readonly confined: boolean;
}

/** The port of a network of root's that a NIC gets. */
export interface ChosenPort {
  readonly port: HostPort;
  readonly holder: PortHolder;
  /** Whose it was before. */
  readonly before?: string;
  /** The port that the NIC had until this one was kept for its VM. */
  readonly instead?: Pick<HostPort, 'device' | 'mac' | 'switchPort'>;
  /** It is only shown: a run would be refused, for all of them are in use. */
  readonly taken?: QrunError;
}

export interface HostFacts {
  readonly places: Places;
  readonly user: Identity;
  /** Present when root starts the VM. */
  readonly runAs?: RunAs;
  readonly bootId: string;
  readonly qemu: QemuCapabilities;
  readonly kvm: {
    readonly present: boolean;
    readonly openable: boolean;
    /** Its group cannot open it either, or is root's: to be in a group helps nobody. */
    readonly groupless?: true;
    /** What a smoke guest found, if one was run on this kernel with this QEMU. */
    readonly verdict?: 'works' | 'broken';
  };
  readonly hasDesktop: boolean;
  readonly tools: Readonly<Record<string, string>>;
  /** By path: every disk, base, kernel, initrd, cdrom that the profile names. */
  readonly disks: Readonly<Record<string, DiskFact>>;
  /** Only read when a NIC names an interface. */
  readonly links: readonly LinkFact[];
  /** By name: the managed networks that this profile's NICs name, planned. */
  readonly networks: Readonly<Record<string, NetworkPlan>>;
  /** By NIC id, for those on networks that hand out ports. */
  readonly ports?: Readonly<Record<string, ChosenPort>>;
  /** By NIC id: why it gets none, where it may go by the bridge helper instead. */
  readonly portFaults?: Readonly<Record<string, QrunError>>;
  /** By NIC id: what stands between QEMU and the bridge of each NIC of kind `bridge`. */
  readonly bridgeDoors?: Readonly<Record<string, BridgeDoor>>;
  /** Only looked at when a NIC is of kind `tap` or `macvtap`. */
  readonly linkDoor?: LinkDoor;
  /** Only looked at when a NIC is of kind `hostdev`. */
  readonly pciDoor?: PciDoor;
  /** Only looked for when a NIC is of kind `passt`; absent: there is none. */
  readonly passt?: PasstFact;
  /** UEFI firmware that was found. */
  readonly uefi?: { readonly code: string; readonly vars: string };
  /** The MAC of each NIC id of this VM, allocated or explicit. */
  readonly macs: Readonly<Record<string, Mac>>;
  /** Ports that `auto` forwards had in the last run, by `NIC:INDEX`. */
  readonly lastPorts: Readonly<Record<string, number>>;
  /** PCI slots that NIC ids of this VM were given, so that a NIC keeps its slot when others come and go. */
  readonly slots: Readonly<Record<string, number>>;
}
