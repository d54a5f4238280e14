/** The bridge helper's right to make taps. A package upgrade replaces the file, and the right is gone; a second setup gives it again. */
import { statSync } from 'node:fs';
import type { CapabilityItem } from '../item.ts';
import type { SetupHost, SetupKind } from '../kind.ts';

const helperCapability = 'cap_net_admin=ep';

export const capability: SetupKind<CapabilityItem> = {
  isDone: ({ file }, host) => capabilitiesOf(file, host) === helperCapability,
  before: ({ file }, host) => ({ capabilities: capabilitiesOf(file, host) }),
  actions: ({ file }) => [{ do: 'run', argv: ['setcap', helperCapability, file] }],
  whyKept: () => undefined,
  undo: ({ file }, { capabilities }, host) => {
    if (statSync(file, { throwIfNoEntry: false }) === undefined) return [];
    if (capabilitiesOf(file, host) !== helperCapability) return [];
    const had = typeof capabilities === 'string' && capabilities !== '';
    return [{ do: 'run', argv: had ? ['setcap', capabilities, file] : ['setcap', '-r', file] }];
  },
};

/** `cap_net_admin=ep`; empty: none. Older ones print `FILE = cap_net_admin+ep`. */
export function capabilitiesOf(file: string, { system }: SetupHost): string {
  const { status, stdout } = system.runNow('getcap', [file], { timeoutMs: 30_000 });
  if (status !== 0 || !stdout.startsWith(file)) return '';
  const text = stdout.slice(file.length).trim();
  return text.startsWith('= ') ? text.slice(2).replace('+', '=') : text;
}
