/**
 * The plan of a launch: pure data, complete before anything is changed. `qrun show` prints it, `launch/start` walks it.
 */
import type { Forward } from '../profile/profile.ts';
import type { Netdev } from '../nic/nic-kind.ts';
import type { Mac, VmName } from '../names.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { Step } from './step.ts';

export interface PlannedForward {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  readonly hostPort: number | 'auto';
  readonly guest?: string;
  readonly guestPort: number;
  /** The id of the port step whose record has the real port. */
  readonly step: string;
  /** As the profile wrote it. */
  readonly written: Forward;
}

export interface PlannedNic {
  readonly id: string;
  readonly kind: string;
  readonly model: string;
  readonly mac: Mac;
  /** The id of QEMU's back end. */
  readonly netdev: string;
  readonly forwards?: readonly PlannedForward[];
  /** What it hangs on, for people: `user`, `br0`, `230.0.0.1:5558`, … */
  readonly source: string;
  /** The managed network that it is on. */
  readonly network?: string;
  /** The host's own interface, where there is one. */
  readonly hostInterface?: string;
}

/** A stream of QEMU's, to be looked at when QEMU runs. */
export interface PlannedLink {
  readonly nic: string;
  readonly kind: string;
  readonly role: 'listens' | 'connects';
  readonly netdev: Netdev;
}

/** A tap that somebody else than qrun makes. */
export interface PlannedTap {
  readonly nic: string;
  readonly bridge: string;
}

export interface LaunchPlan {
  readonly v: 1;
  readonly vm: VmName;
  readonly profile: string;
  readonly accel: 'kvm' | 'tcg';
  readonly qemu: {
    readonly file: string;
    readonly version: string;
    /** Arguments after the file; a forward's port that is `auto` stands in them as port 0 until it is known. */
    readonly argv: readonly string[];
    /** Descriptors that QEMU inherits, and what stands behind each. */
    readonly fds: readonly { readonly fd: number; readonly path: string }[];
    /** Put in front of QEMU: setpriv with the user that root's QEMU runs as. Empty for ordinary users. */
    readonly prefix: readonly string[];
    /** Variables that are set for QEMU alone. */
    readonly env?: Readonly<Record<string, string>>;
  };
  readonly nics: readonly PlannedNic[];
  /** The managed networks that it joins, and how each is taken up when it is not. */
  readonly networks: readonly NetworkPlan[];
  readonly steps: readonly Step[];
  /** Back ends whose failure QEMU does not tell. */
  readonly links?: readonly PlannedLink[];
  /** NICs whose tap QEMU gets by itself when it starts, in the order of the command line. */
  readonly taps?: readonly PlannedTap[];
  readonly sockets: { readonly qmp: string; readonly console: string; readonly vnc?: string };
  readonly logs: { readonly qemu: string; readonly console: string; readonly events: string };
  readonly console: 'stdio' | 'none';
  readonly shutdownTimeoutS: number;
  /** What a person should know before the run: a fallback to TCG, a weaker sandbox and why. */
  readonly notes: readonly string[];
}
