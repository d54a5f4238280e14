/**
 * A lab as the rest of the house knows it: several VMs, which of them come after which, and the networks that are up as long as the lab is. Checked,
 * with defaults filled in. A lab is no thing of its own: its VMs are ordinary VMs, and `qrun ps` tells nothing of it.
 */
import type { NetworkName } from '../network/network.ts';
import type { VmName } from '../names.ts';
import type { WaitFor } from './wait-for.ts';

export interface Lab {
  /** Absolute. */
  readonly file: string;
  readonly description?: string;
  /** Those that are to be up even if no VM is on them. */
  readonly networks: readonly LabNetwork[];
  /** As they are written. */
  readonly vms: readonly LabVm[];
}

export interface LabNetwork {
  readonly name: NetworkName;
  /** What says which it is, as on a command line: a name, or the absolute path of a definition. */
  readonly definition: string;
}

export interface LabVm {
  readonly name: VmName;
  /** What says which it is, as on a command line: a name, or an absolute path. */
  readonly profile: string;
  readonly after: readonly LabEdge[];
  /** What must be true of it before those after it start, and before the lab is up. Undefined: QEMU runs. */
  readonly wait?: LabWait;
  /** Seconds that each wait for this VM may take. Undefined: no limit. */
  readonly timeoutS?: number;
  readonly ephemeral?: boolean;
  /** For QEMU, behind the profile's own. */
  readonly args: readonly string[];
  /** The lab's file, absolute, and where it is named there, for messages: `lab.yaml:4`. Absent for one that was named on the command line. */
  readonly file?: string;
  readonly at?: string;
}

export interface LabEdge {
  readonly vm: VmName;
  /** Instead of that VM's own, for whoever has this edge. */
  readonly wait?: LabWait;
}

export interface LabWait {
  readonly written: string;
  readonly what: WaitFor;
}
