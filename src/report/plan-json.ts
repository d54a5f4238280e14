/** The plan as `qrun show --json` prints it: a shape that scripts rely on. Members may be added, never changed. */
import type { LaunchPlan, PlannedForward, PlannedNic } from '../plan/launch-plan.ts';
import type { Action, Description, Step } from '../plan/step.ts';

export interface PlanDocument {
  readonly vm: string;
  readonly profile: string;
  readonly accel: 'kvm' | 'tcg';
  readonly qemu: {
    readonly file: string;
    readonly version: string;
    readonly argv: readonly string[];
    readonly fds: readonly { readonly fd: number; readonly path: string }[];
    readonly prefix: readonly string[];
  };
  readonly nics: readonly NicDocument[];
  readonly steps: readonly {
    readonly id: string;
    readonly kind: string;
    readonly needsRoot: boolean;
    readonly actions: readonly Action[];
    readonly release: readonly Action[];
  }[];
  readonly sockets: LaunchPlan['sockets'];
  readonly logs: LaunchPlan['logs'];
  readonly console: 'stdio' | 'none';
  readonly shutdownTimeoutS: number;
  readonly notes: readonly string[];
}

export interface NicDocument {
  readonly id: string;
  readonly kind: string;
  readonly model: string;
  readonly mac: string;
  readonly netdev: string;
  readonly source: string;
  readonly hostInterface?: string;
  readonly forwards?: readonly ForwardDocument[];
}

export interface ForwardDocument extends Omit<PlannedForward, 'step' | 'written' | 'guest'> {
  readonly guest: string | null;
}

export function planDocument(plan: LaunchPlan, describe: (step: Step) => Description): PlanDocument {
  const { vm, profile, accel, qemu, sockets, logs, console, shutdownTimeoutS, notes } = plan;
  const { file, version, argv, fds, prefix } = qemu;
  return {
    vm,
    profile,
    accel,
    qemu: { file, version, argv, fds, prefix },
    nics: plan.nics.map(nicDocument),
    steps: plan.steps.map((step) => {
      const { acquire, release } = describe(step);
      return { id: step.id, kind: step.kind, needsRoot: step.needsRoot, actions: acquire, release };
    }),
    sockets,
    logs,
    console,
    shutdownTimeoutS,
    notes,
  };
}

function nicDocument({ forwards, ...nic }: PlannedNic): NicDocument {
  return { ...nic, ...(forwards !== undefined && { forwards: forwards.map(forwardDocument) }) };
}

function forwardDocument({ protocol, hostAddress, hostPort, guest, guestPort }: PlannedForward): ForwardDocument {
  return { protocol, hostAddress, hostPort, guest: guest ?? null, guestPort };
}
