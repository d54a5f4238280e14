/**
 * What a kind of NIC is to the rest of the house: a schema, a plan, a back end for QEMU. One file per kind; adding a kind is adding a file.
 */
import type { HostFacts } from '../host/facts.ts';
import type { Mac } from '../names.ts';
import type { Nic, NicKindName, Profile } from '../profile/profile.ts';
import type { PlannedForward } from '../plan/launch-plan.ts';
import type { VmFiles } from '../plan/vm-files.ts';
import type { Step } from '../plan/step.ts';

/** A value that QEMU's JSON options take. */
export type OptionValue = string | number | boolean | readonly OptionValue[] | { readonly [key: string]: OptionValue };

/** `-netdev`: one typed value, told in JSON or in keyval by qemu/option. */
export interface Netdev {
  readonly type: string;
  readonly id: string;
  readonly [member: string]: OptionValue;
}

export interface NicPlan {
  readonly netdev: Netdev;
  /** Taken before QEMU starts, given back after it. */
  readonly steps: readonly Step[];
  readonly forwards?: readonly PlannedForward[];
  /** Properties that this back end wants on the device, such as `host_mtu`. */
  readonly device?: Readonly<Record<string, OptionValue>>;
  readonly source: string;
  readonly hostInterface?: string;
  /** That of a port, or a card's own, which the guest has whatever is leased to its NIC. */
  readonly mac?: Mac;
  /** The managed network that it is on. */
  readonly network?: string;
  /** What QEMU starts for it does not work under any sandbox of QEMU's. Says what and why. */
  readonly sandboxOff?: string;
  /** The bridge that a tap is on which QEMU gets by itself: its name is looked up when QEMU runs. */
  readonly tapOn?: string;
  /** Capabilities that stay in the bounding set of root's QEMU, for a program that it starts. */
  readonly keeps?: readonly string[];
  /** Variables of QEMU's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly notes?: readonly string[];
  /** Descriptors that QEMU inherits for it, by `nextFd`, and what stands behind each. */
  readonly fds?: readonly { readonly fd: number; readonly path: string }[];
  /** A back end whose failure QEMU does not tell (a stream): looked at with `info network` when QEMU runs. */
  readonly link?: 'listens' | 'connects';
}

/** A NIC without a back end: the card itself is the guest's, and QEMU gets `-device vfio-pci` alone. */
export interface CardPlan extends Omit<NicPlan, 'netdev' | 'link'> {
  readonly netdev: 'none';
  /** Its PCI address on the host. */
  readonly card: string;
  /** How much memory QEMU locks for it. */
  readonly lockedBytes: number;
}

export type AnyNicPlan = NicPlan | CardPlan;

export interface NicContext {
  readonly profile: Profile;
  readonly facts: HostFacts;
  readonly netdevId: string;
  readonly files: VmFiles;
  /** Gives numbers to descriptors that QEMU inherits, from 5 up. */
  readonly nextFd: () => number;
  /** Real ports of `auto` forwards by step id, once they are taken. */
  readonly ports?: Readonly<Record<string, number>>;
}

export interface NicKind<N extends Nic = Nic, P extends AnyNicPlan = NicPlan> {
  readonly kind: NicKindName;
  /** Pure. @throws QrunError `not-implemented`, `missing-feature`, … */
  readonly plan: (nic: N, context: NicContext) => P;
}
