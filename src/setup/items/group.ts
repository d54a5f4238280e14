/** The group whose members may use what setup prepares. */
import type { GroupItem } from '../item.ts';
import type { SetupKind } from '../kind.ts';
import { groupNamed } from './accounts.ts';

export const group: SetupKind<GroupItem> = {
  isDone: ({ name }) => groupNamed(name) !== undefined,
  before: () => ({}),
  actions: ({ name }) => [{ do: 'run', argv: ['groupadd', '--system', name] }],
  whyKept: ({ name }) => {
    const members = groupNamed(name)?.members ?? [];
    return members.length === 0
      ? undefined
      : { why: `the group ${name} has members: ${members.join(', ')}`, forget: true };
  },
  undo: ({ name }) => (groupNamed(name) === undefined ? [] : [{ do: 'run', argv: ['groupdel', name] }]),
};
