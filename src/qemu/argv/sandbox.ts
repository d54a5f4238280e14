/** QEMU's own system call filter, as strict as the plan allows; and in words, wherever it is weaker than that. */
import type { ArgvInput } from './input.ts';

const strict = ['on', 'obsolete=deny', 'elevateprivileges=deny'];

export interface SandboxPlan {
  readonly args: readonly string[];
  /** What a person should know: why it is off, or why programs may be started. */
  readonly note?: string;
}

export function planSandbox(
  input: Pick<ArgvInput, 'capabilities' | 'nics' | 'display' | 'hasSessionBus' | 'sandboxOff'>,
): SandboxPlan {
  const off = input.sandboxOff ?? nicWithout(input.nics);
  if (off !== undefined) return { args: [], note: `QEMU runs without its sandbox: ${off}` };
  if (!input.capabilities.options.includes('sandbox')) {
    return { args: [], note: 'QEMU runs without its sandbox: this QEMU is built without it' };
  }
  const reasons = spawnReasons(input);
  const spawn = reasons.length > 0 ? 'spawn=allow' : 'spawn=deny';
  const args = ['-sandbox', [...strict, spawn, 'resourcecontrol=deny'].join(',')];
  if (reasons.length === 0) return { args };
  return { args, note: `the sandbox lets QEMU start programs: ${reasons.join(', ')}` };
}

function nicWithout(nics: ArgvInput['nics']): string | undefined {
  const found = nics.find(({ plan }) => plan.sandboxOff !== undefined);
  return found === undefined ? undefined : `${found.nic.id}: ${found.plan.sandboxOff ?? ''}`;
}

type SpawnInput = Pick<ArgvInput, 'nics' | 'display' | 'hasSessionBus'>;

function spawnReasons({ nics, display, hasSessionBus }: SpawnInput): string[] {
  const reasons = nics.flatMap(({ nic, plan }) => (plan.spawns === undefined ? [] : [`${nic.id} (${plan.spawns})`]));
  if (display === 'spice-app') return [...reasons, 'display spice-app (the viewer)'];
  // measured on 7.2: without a session bus the libraries of both fork a dbus-launch, and the filter ends QEMU for it
  const launchesBus = (display === 'gtk' || display === 'sdl') && hasSessionBus !== true;
  return launchesBus ? [...reasons, `display ${display} (a session bus, since none is named)`] : reasons;
}
