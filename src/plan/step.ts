/**
 * The steps of a plan: JSON-safe values, each a thing that is taken before QEMU starts and given back after it ended.
 * A step holds every name that its release needs; `src/resources/` has one file per kind that can describe, acquire and release it.
 */
import type { HostNetwork, PortHolder } from '../network/host-network.ts';
import type { NftCommand, NftTable } from './nft-commands.ts';
import type { PasstStep, ServiceStep } from './program-step.ts';
import type { ResolverStep, SysctlStep } from './setting-step.ts';
import type { SwitchDirectoryStep, VdeSwitchStep } from './switch-step.ts';

export interface StepCommon {
  /** Unique in its plan, stable between runs: `lock`, `port:net0:0`, `disk:0`, … */
  readonly id: string;
  readonly needsRoot: boolean;
  /** `taken`: while the step before it still is. `given`: given back while the step after it still is. Default: one after the other. */
  readonly overlaps?: 'taken' | 'given';
}

/** The VM lock: a flock on an open file that QEMU inherits as descriptor `fd`. The file is never unlinked. */
export interface VmLockStep extends StepCommon {
  readonly kind: 'vm-lock';
  readonly file: string;
  readonly fd: number;
}

/** A directory of mode 0700 (of `owner`'s, when root starts QEMU as somebody else). Given back with all that is in it. */
export interface DirectoryStep extends StepCommon {
  readonly kind: 'directory';
  readonly path: string;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** A host port that QEMU itself will bind. Acquire probes it and, for `auto`, chooses; the record has the port. */
export interface PortStep extends StepCommon {
  readonly kind: 'port';
  readonly protocol: 'tcp' | 'udp';
  /** Literal IPv4 or IPv6 address. */
  readonly address: string;
  readonly port: number | 'auto';
  /** The port that `auto` had last time. */
  readonly last?: number;
  /** What to do when somebody else has it. Default: what helps with `forwards`. */
  readonly hint?: string;
  /** Nobody is to bind it: rules of the kernel's lead its packets on. `taken`: where other rules do so already. */
  readonly rules?: { readonly taken: readonly TakenPort[] };
}

export interface TakenPort {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  /** `network lan1, …` */
  readonly by: string;
}

/** A multicast group that QEMU itself will join, beside whoever else is in it. Acquire tries; nothing is to be given back. */
export interface GroupStep extends StepCommon {
  readonly kind: 'group';
  readonly address: string;
  readonly port: number;
  /** The host's address on the interface that the group is on. */
  readonly interface: string;
}

/**
 * A path of the profile's where QEMU makes a unix socket (`bind`) or goes to one (`connect`). Acquire refuses what lies there and is no socket, or one
 * that somebody has; release removes the socket that QEMU left.
 */
export interface SocketPathStep extends StepCommon {
  readonly kind: 'socket-path';
  readonly path: string;
  readonly use: 'bind' | 'connect';
  /** The account of QEMU, when root starts it. */
  readonly runAs?: { readonly name: string; readonly uid: number; readonly gid: number };
}

/** A file opened for QEMU to inherit as descriptor `fd`. */
export interface OpenFileStep extends StepCommon {
  readonly kind: 'open-file';
  readonly path: string;
  readonly fd: number;
  readonly mode: 'read' | 'append';
  /** The file of the run before is kept as `PATH.1`, and this run begins a new one. */
  readonly rotate: boolean;
  /** Written as the whole content before it is opened; such a file is removed at the end. */
  readonly content?: string;
}

/** A disk image that does not exist yet. Removed again only if the start fails. */
export interface DiskStep extends StepCommon {
  readonly kind: 'disk';
  readonly file: string;
  readonly format: string;
  readonly sizeBytes?: number;
  readonly base?: { readonly file: string; readonly format: string };
  /** True: an overlay of this run alone, removed at its end. */
  readonly temporary: boolean;
  /** True: its directory is the VM's own in STATE, and is made if it is missing. */
  readonly ownDirectory: boolean;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** A copy made once and kept: the VM's own UEFI variable store. */
export interface CopyStep extends StepCommon {
  readonly kind: 'copy';
  readonly from: string;
  readonly to: string;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** A program of the profile's, run before the start or after the end. */
export interface HookStep extends StepCommon {
  readonly kind: 'hook';
  readonly when: 'beforeStart' | 'afterStop';
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A NIC's place on a managed network. Taking it starts the network if it is not up, and holds it up: `users` is locked, shared, through a descriptor
 * that QEMU inherits. Giving it back lets the network end when nobody else is on it.
 */
export interface MemberStep extends StepCommon {
  readonly kind: 'member';
  readonly network: string;
  readonly vm: string;
  readonly nic: string;
  /** Whose address it is: the VM's name for its first NIC on the network, `VM/NIC` for another. */
  readonly holder: string;
  readonly mac: string;
  readonly users: string;
  readonly fd: number;
  /** What the switch knows of this NIC. */
  readonly file: string;
  /** The address that it gets by DHCP, as far as that can be said before it joins. */
  readonly ip?: string;
  /** QEMU's port socket, where the transport has one. */
  readonly socket?: string;
  /** Its tap, where the network has a bridge of its own. */
  readonly device?: string;
}

/** A file with this content, 0600, in a directory of the user's own; removed at the end. `public`: 0644, in one of root's that all can read. */
export interface FileStep extends StepCommon {
  readonly kind: 'file';
  readonly public?: true;
  readonly path: string;
  readonly content: string;
}

/** An interface that qrun makes with `ip`, as root or by sudo, and removes at the end. Its alias says whose it is. */
export interface LinkStep extends StepCommon {
  readonly kind: 'link';
  readonly name: string;
  readonly alias: string;
  /** Lines for `ip -batch`, and then for `bridge -batch`. */
  readonly commands: readonly string[];
  readonly fdb?: readonly string[];
  /** The interface that it stands on, for words about what went wrong. */
  readonly parent?: string;
  readonly mac?: string;
  readonly sudo?: 'ask' | 'noninteractive';
}

/** A card of the host's that becomes a port of a bridge of a network's own, and is given back. */
export interface UplinkStep extends StepCommon {
  readonly kind: 'uplink';
  readonly name: string;
  readonly bridge: string;
}

/** Tables of rules, made whole in one transaction. One that is there already is replaced if its chain says the same owner. */
export interface NftStep extends StepCommon {
  readonly kind: 'nft';
  readonly tables: readonly NftTable[];
  readonly owner: string;
  /** What is in the tables. */
  readonly commands: readonly NftCommand[];
}

/** The names of the links behind it are used up: `path` has the seed that they follow from. */
export interface LinkNamesStep extends StepCommon {
  readonly kind: 'link-names';
  readonly path: string;
  readonly seed: string;
  readonly names: readonly string[];
}

/**
 * The host's way to the macvtaps of a card, one for all of them: whoever comes first makes it, and it goes with the last macvtap whose group says that
 * the host is to reach it.
 */
export interface HostAccessStep extends StepCommon {
  readonly kind: 'host-access';
  readonly name: string;
  readonly alias: string;
  readonly parent: string;
  /** A line for `ip -batch`, settings for `sysctl`, and the other lines. */
  readonly add: readonly string[];
  readonly settings: readonly string[];
  readonly commands: readonly string[];
  /** One that is there already must have it. */
  readonly address?: string;
  /** Macvtaps that do not keep it: those of the same run. */
  readonly links: readonly string[];
  readonly sudo?: 'ask' | 'noninteractive';
}

/** A tap of the user's own, looked at before: whether it is still there, and whether another program has it. */
export interface TapCheckStep extends StepCommon {
  readonly kind: 'tap-check';
  readonly name: string;
}

/** The character device of a macvtap: given to QEMU's user, opened once per queue for QEMU to inherit, locked. */
export interface TapNodeStep extends StepCommon {
  readonly kind: 'tap-node';
  readonly link: string;
  /** Of the interface; the node is called by it. */
  readonly index: number;
  readonly path: string;
  /** Where a node of our own is made when that one is another's, or is not there. */
  readonly own: string;
  readonly fds: readonly number[];
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Root gave it to its users before, who only open it. */
  readonly given?: true;
  /** A udev runs here, whose rules take a new device from everybody but root: whoever is given it by sudo waits for them. */
  readonly settle?: true;
  readonly sudo?: 'ask' | 'noninteractive';
}

/** The device of a macvtap that is made for others, given to them: 0600 for a user, 0660 for a group. It is gone with its interface. */
export interface PortNodeStep extends StepCommon {
  readonly kind: 'port-node';
  readonly link: string;
  readonly index: number;
  readonly path: string;
  /** udev runs here: it is waited for. */
  readonly settle?: true;
  readonly user?: number;
  readonly group?: number;
}

/** A network of root's told to all users: a lock file for each of its ports, and then its entry in the host-wide registry. */
export interface HostNetworkStep extends StepCommon {
  readonly kind: 'host-network';
  readonly path: string;
  /** Of the lock files; they and the MACs outlive the network. */
  readonly directory: string;
  readonly macs: string;
  /** The host-wide registry of MACs, and whose state the claims in it are of; absent: setup made none. */
  readonly claims?: { readonly host: string; readonly state: string };
  readonly network: HostNetwork;
}

/**
 * A port of such a network, locked by a descriptor that QEMU inherits: it is free exactly when QEMU is gone. The lock file tells who had it last, which
 * is how a VM finds its port again.
 */
export interface PortLeaseStep extends StepCommon {
  readonly kind: 'port-lease';
  readonly network: string;
  readonly device: string;
  readonly lock: string;
  readonly fd: number;
  /** The registry's entry, and the run of the network that the port is of. */
  readonly registry: string;
  readonly run: string;
  readonly holder: PortHolder;
}

/**
 * A PCI network card for the guest alone. Bound to vfio-pci and given back to its driver; one that somebody bound before is used as it is. QEMU locks
 * a file of the device, through a descriptor, so that nobody takes or gives back a card that a guest has.
 */
export interface VfioStep extends StepCommon {
  readonly kind: 'vfio';
  /** `0000:01:00.0` */
  readonly address: string;
  /** Of the IOMMU. */
  readonly group: number;
  readonly fd: number;
  /** Any other of its kind would do as well: when somebody was faster, another is chosen. */
  readonly chosen?: true;
  /** `driver` is whom it goes back to; absent: it had none. */
  readonly bind?: { readonly driver?: string; readonly loads: boolean };
  /** Set on a virtual function by way of its parent, and set back. */
  readonly vf?: {
    readonly parent: string;
    readonly index: number;
    readonly mac: string;
    readonly vlan?: number;
    readonly before: { readonly mac: string; readonly vlan: number };
  };
  /** Who gets the group's node in /dev/vfio, and who had it. */
  readonly node?: {
    readonly owner: { readonly uid: number; readonly gid: number };
    readonly before: { readonly uid: number; readonly gid: number };
  };
  readonly sudo?: 'ask' | 'noninteractive';
}

export type Step =
  | PortNodeStep
  | SwitchDirectoryStep
  | HostNetworkStep
  | PortLeaseStep
  | VfioStep
  | LinkStep
  | UplinkStep
  | HostAccessStep
  | LinkNamesStep
  | SysctlStep
  | NftStep
  | ResolverStep
  | TapCheckStep
  | TapNodeStep
  | VmLockStep
  | DirectoryStep
  | PortStep
  | GroupStep
  | SocketPathStep
  | VdeSwitchStep
  | OpenFileStep
  | DiskStep
  | CopyStep
  | HookStep
  | MemberStep
  | FileStep
  | ServiceStep
  | PasstStep;

export type { PasstStep, ResolverStep, ServiceStep, SwitchDirectoryStep, SysctlStep, VdeSwitchStep };
export type { PasstForward } from './program-step.ts';
export type { Action, Description, SpawnAction } from './action.ts';
