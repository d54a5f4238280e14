/** A user's membership in a group. */
import type { MemberItem } from '../item.ts';
import type { SetupKind } from '../kind.ts';
import { groupNamed } from './accounts.ts';

const isIn = ({ user, group }: MemberItem): boolean => groupNamed(group)?.members.includes(user) === true;

export const membership: SetupKind<MemberItem> = {
  isDone: isIn,
  before: () => ({}),
  actions: ({ user, group }) => [{ do: 'run', argv: ['usermod', '--append', '--groups', group, user] }],
  whyKept: () => undefined,
  undo: (item) => (isIn(item) ? [{ do: 'run', argv: ['gpasswd', '--delete', item.user, item.group] }] : []),
};
