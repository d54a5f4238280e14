/** QEMU's own system call filter, as strict as the plan allows; and in words, wherever it is weaker than that. */
import type { ArgvInput } from './input.ts';

const strict = ['on', 'obsolete=deny', 'elevateprivileges=deny'];

export interface SandboxPlan {
  readonly args: readonly string[];
  /** What a person should know: why it is off, or why programs may be started. */
  readonly note?: string;
}

export function planSandbox(input: Pick<ArgvInput, 'capabilities' | 'nics' | 'display'>): SandboxPlan {
  const off = nicWithout(input.nics);
  if (off !== undefined) return { args: [], note: `QEMU runs without its sandbox: ${off}` };
  if (!input.capabilities.options.includes('sandbox')) {
    return { args: [], note: 'QEMU runs without its sandbox: this QEMU is built without it' };
  }
  const reason = spawnReason(input.display);
  const spawn = reason === undefined ? 'spawn=deny' : 'spawn=allow';
  const args = ['-sandbox', [...strict, spawn, 'resourcecontrol=deny'].join(',')];
  return reason === undefined ? { args } : { args, note: `the sandbox lets QEMU start programs: ${reason}` };
}

function nicWithout(nics: ArgvInput['nics']): string | undefined {
  const found = nics.find(({ plan }) => plan.sandboxOff !== undefined);
  return found === undefined ? undefined : `${found.nic.id}: ${found.plan.sandboxOff ?? ''}`;
}

function spawnReason(display: ArgvInput['display']): string | undefined {
  if (display === 'spice-app') return 'display spice-app (the viewer)';
  // measured on 7.2: without a session bus the libraries of both fork a dbus-launch, and the filter ends QEMU for it
  return display === 'gtk' || display === 'sdl' ? `display ${display} (a session bus, since none is named)` : undefined;
}
