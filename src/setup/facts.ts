/** What planning knows of the host. Plain data: a test writes it down. */
import type { BridgeHelperFact } from '../host/bridge-helper.ts';
import type { RouteFact } from '../host/routes.ts';
import type { AccountLook } from './items/accounts.ts';
import type { LinkLook } from './items/look.ts';
import type { UplinkLook } from './items/uplink-look.ts';
import type { SetupEntry } from './record.ts';

/** Who makes the host's interfaces when it starts. `none`: nobody that setup knows. */
export type HostManager = 'network-manager' | 'networkd' | 'ifupdown' | 'systemd' | 'none';

export interface SetupOptions {
  readonly bridge?: string;
  readonly uplink?: string;
  /** With its length. */
  readonly address?: string;
  readonly group?: string;
  /** The card on which the host is to have a way to macvtaps. */
  readonly hostAccess?: string;
  /** Even the host's only way out becomes a port. */
  readonly yes: boolean;
}

export interface ConfFact {
  /** Bytes, each as one character; undefined: there is none. */
  readonly text?: string;
  readonly everybodyReads: boolean;
  /** Who reads it, if not everybody does; undefined then: root alone. */
  readonly onlyGroup?: string;
  /** Files that it includes and that everybody may read, by their paths. */
  readonly included?: Readonly<Record<string, string>>;
  /** Why it is not to be edited. */
  readonly fault?: { readonly message: string; readonly hint: string };
}

export interface UplinkFact extends UplinkLook {
  /** Undefined: there is no such link. */
  readonly link?: LinkLook;
  readonly wifi: boolean;
  /** The host has ways out, and all lead through it. */
  readonly onlyWayOut: boolean;
  /** Routes that setup could not make again. */
  readonly unknownRoutes: readonly string[];
  /** Of `ip rule`, that name it. */
  readonly rules: readonly string[];
  /** What stands on it and takes its frames: macvlans, macvtaps and the like. With whose they are, where that is said. */
  readonly riders: readonly string[];
}

/** A card on which the host is to have a way to macvtaps. */
export interface CardFact {
  /** Undefined: there is no such link. */
  readonly link?: LinkLook;
  readonly wifi: boolean;
  readonly loopback: boolean;
  /** It stands on another card, beside what would stand on it. */
  readonly macvlan: boolean;
  /** Of IPv6, reached there without a gateway. */
  readonly networks: readonly string[];
  readonly strict: boolean;
  /** What has the name of the way. */
  readonly existing?: LinkLook;
  /** That systemd-networkd configures it by. */
  readonly networkFile?: string;
}

export type ModuleState = 'loaded' | 'available' | 'absent';

export interface SetupFacts {
  readonly helper: Pick<BridgeHelperFact, 'file' | 'found' | 'rights' | 'conf'>;
  readonly conf: ConfFact;
  readonly bridge?: LinkLook;
  readonly uplink?: UplinkFact;
  readonly card?: CardFact;
  readonly routes: readonly RouteFact[];
  /** The user that root's QEMU runs as, if there is one of that name. */
  readonly account?: AccountLook;
  /** The group that was asked for, if there is one. */
  readonly group?: { readonly gid: number };
  readonly manager: HostManager;
  /** Who else might take an interface for its own. */
  readonly watchers: {
    readonly networkManager: boolean;
    readonly networkd: boolean;
    /** Its configuration file, which may be there without it. */
    readonly dhcpcd?: string;
    /** It runs, or starts with the host. */
    readonly dhcpcdRuns?: boolean;
    readonly udev: boolean;
  };
  /** Absolute paths of programs that a file names. */
  readonly paths: Readonly<Record<'ip' | 'sysctl', string>>;
  readonly missingTools: readonly string[];
  readonly modules: Readonly<Record<string, ModuleState>>;
  /** Undefined: this kernel has no such setting. */
  readonly pingRange: string | undefined;
  /** Of this host, for what must be the same each time and different on another. */
  readonly machineId: string;
  /** The registry's directory of MACs. */
  readonly macs: string;
  readonly recorded: readonly SetupEntry[];
}
