/** The user that root's QEMU runs as: one that owns nothing else, as `nobody` does on some hosts. */
import type { AccountItem } from '../item.ts';
import type { SetupKind } from '../kind.ts';
import { hasAccount } from './accounts.ts';

export const account: SetupKind<AccountItem> = {
  isDone: ({ name }) => hasAccount(name),
  before: () => ({}),
  actions: ({ name }) => [{ do: 'run', argv: useradd(name) }],
  whyKept: () => undefined,
  // refuses while a process of that user's lives
  undo: ({ name }) => (hasAccount(name) ? [{ do: 'run', argv: ['userdel', name] }] : []),
};

const useradd = (name: string): string[] => [
  ...['useradd', '--system', '--user-group', '--no-create-home', '--no-log-init', '--home-dir', '/nonexistent'],
  ...['--shell', '/usr/sbin/nologin', '--comment', 'QEMU of root, by qrun', name],
];
