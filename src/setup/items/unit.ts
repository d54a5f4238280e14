/** A unit of systemd's that starts with the host. What it would make is there already, so it is not started now. */
import { lstatSync } from 'node:fs';
import type { UnitItem } from '../item.ts';
import type { SetupKind } from '../kind.ts';

export const wantedBy = 'multi-user.target';

const isEnabled = (name: string): boolean =>
  lstatSync(`/etc/systemd/system/${wantedBy}.wants/${name}`, { throwIfNoEntry: false }) !== undefined;

export const unit: SetupKind<UnitItem> = {
  isDone: ({ name }) => isEnabled(name),
  before: () => ({}),
  actions: ({ name }) => [{ do: 'run', argv: ['systemctl', 'enable', name] }],
  whyKept: () => undefined,
  undo: ({ name }) => (isEnabled(name) ? [{ do: 'run', argv: ['systemctl', 'disable', name] }] : []),
};
