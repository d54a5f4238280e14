/** QEMU's own system call filter, as strict as the plan allows; and in words, wherever it is weaker than that. */
import type { ArgvInput } from './input.ts';

const strict = ['on', 'obsolete=deny', 'elevateprivileges=deny'];

export interface SandboxPlan {
  readonly args: readonly string[];
  /** What a person should know: why it is off, or why programs may be started. */
  readonly note?: string;
}

export function planSandbox(input: Pick<ArgvInput, 'capabilities' | 'nics' | 'display' | 'sandboxOff'>): SandboxPlan {
  if (input.sandboxOff !== undefined) return { args: [], note: `QEMU runs without its sandbox: ${input.sandboxOff}` };
  if (!input.capabilities.options.includes('sandbox')) {
    return { args: [], note: 'QEMU runs without its sandbox: this QEMU is built without it' };
  }
  const reasons = spawnReasons(input);
  const spawn = reasons.length > 0 ? 'spawn=allow' : 'spawn=deny';
  const args = ['-sandbox', [...strict, spawn, 'resourcecontrol=deny'].join(',')];
  if (reasons.length === 0) return { args };
  return { args, note: `the sandbox lets QEMU start programs: ${reasons.join(', ')}` };
}

function spawnReasons({ nics, display }: Pick<ArgvInput, 'nics' | 'display'>): string[] {
  const reasons = nics.flatMap(({ nic, plan }) => (plan.spawns === undefined ? [] : [`${nic.id} (${plan.spawns})`]));
  return display === 'spice-app' ? [...reasons, 'display spice-app (the viewer)'] : reasons;
}
