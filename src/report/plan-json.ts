/** The plan as `qrun show --json` prints it: a shape that scripts rely on. Members may be added, never changed. */
import type { NetworkPlan } from '../network/network-plan.ts';
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
    readonly env?: Readonly<Record<string, string>>;
  };
  readonly nics: readonly NicDocument[];
  /** Those of networks that are not up come first. */
  readonly steps: readonly StepDocument[];
  readonly networks: readonly NetworkPlanDocument[];
  readonly sockets: LaunchPlan['sockets'];
  readonly logs: LaunchPlan['logs'];
  readonly console: 'stdio' | 'none';
  readonly shutdownTimeoutS: number;
  readonly notes: readonly string[];
}

export interface StepDocument {
  readonly id: string;
  readonly kind: string;
  readonly needsRoot: boolean;
  readonly actions: readonly Action[];
  readonly release: readonly Action[];
}

/** A managed network's plan without its steps. */
export type NetworkPlanDocument = Omit<NetworkPlan, 'v' | 'steps' | 'running'> & { readonly running: boolean };

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
  const { file, version, argv, fds, prefix, env } = qemu;
  return {
    vm,
    profile,
    accel,
    qemu: { file, version, argv, fds, prefix, ...(env !== undefined && { env }) },
    nics: plan.nics.map(nicDocument),
    steps: [...plan.networks.flatMap((network) => (network.running === true ? [] : network.steps)), ...plan.steps].map(
      (step) => stepDocument(step, describe),
    ),
    networks: plan.networks.map(networkDocument),
    sockets,
    logs,
    console,
    shutdownTimeoutS,
    notes,
  };
}

export function stepDocument(step: Step, describe: (step: Step) => Description): StepDocument {
  const { acquire, release } = describe(step);
  return { id: step.id, kind: step.kind, needsRoot: step.needsRoot, actions: acquire, release };
}

export function networkDocument({ v: _v, steps: _steps, running, ...rest }: NetworkPlan): NetworkPlanDocument {
  return { ...rest, running: running === true };
}

function nicDocument({ forwards, ...nic }: PlannedNic): NicDocument {
  return { ...nic, ...(forwards !== undefined && { forwards: forwards.map(forwardDocument) }) };
}

function forwardDocument({ protocol, hostAddress, hostPort, guest, guestPort }: PlannedForward): ForwardDocument {
  return { protocol, hostAddress, hostPort, guest: guest ?? null, guestPort };
}
