/** A module of the kernel's. */
import { readFileSync, statSync } from 'node:fs';
import type { ModuleItem } from '../item.ts';
import type { SetupKind } from '../kind.ts';

const directoryOf = (name: string): string => `/sys/module/${name}`;

export const isLoaded = (name: string): boolean => statSync(directoryOf(name), { throwIfNoEntry: false }) !== undefined;

export const module: SetupKind<ModuleItem> = {
  // a container may not, and a kernel may be locked down
  optional: true,
  isDone: ({ name }) => isLoaded(name),
  before: () => ({}),
  actions: ({ name }) => [{ do: 'run', argv: ['modprobe', name] }],
  whyKept: ({ name }) => {
    const users = usersOf(name);
    return users === 0 ? undefined : { why: `the module ${name} is in use; it is gone at the next boot`, forget: true };
  },
  // another program may have come to need it without holding it: what modprobe refuses stays
  undo: ({ name }) => (isLoaded(name) ? [{ do: 'run', argv: ['modprobe', '-r', name], mayFail: true }] : []),
};

function usersOf(name: string): number {
  try {
    return Number(readFileSync(`${directoryOf(name)}/refcnt`, 'utf8'));
  } catch {
    return 0;
  }
}
