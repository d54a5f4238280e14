/** A setting of the kernel's, as it is now; a file of its own keeps it over the next boot. */
import { readFileSync } from 'node:fs';
import type { SysctlItem } from '../item.ts';
import type { SetupKind } from '../kind.ts';

export const sysctl: SetupKind<SysctlItem> = {
  // a container may not, and a kernel may be locked down
  optional: true,
  isDone: ({ key, value }) => readSysctl(key) === value,
  before: ({ key }) => ({ value: readSysctl(key) ?? null }),
  actions: ({ key, value }) => [{ do: 'run', argv: ['sysctl', '-q', '-w', `${key}=${value}`] }],
  whyKept: ({ key, value }, before) => {
    const now = readSysctl(key);
    if (now === undefined || now === value || now === before['value']) return undefined;
    return { why: `${key} was changed since, to ${now}`, forget: true };
  },
  undo: ({ key }, { value }) =>
    typeof value === 'string' && value !== readSysctl(key)
      ? [{ do: 'run', argv: ['sysctl', '-q', '-w', `${key}=${value}`] }]
      : [],
};

/** With single blanks. Undefined: this kernel has it not. */
export function readSysctl(key: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${key.replaceAll('.', '/')}`, 'utf8')
      .trim()
      .replaceAll(/\s+/g, ' ');
  } catch {
    return undefined;
  }
}
