/** A bridge of somebody else's that is down: guests on it would have no traffic. */
import type { UpItem } from '../item.ts';
import type { SetupKind } from '../kind.ts';
import { lookAtLink } from './look.ts';

export const up: SetupKind<UpItem> = {
  isDone: ({ link }, host) => lookAtLink(link, host)?.up === true,
  before: () => ({}),
  actions: ({ link }) => [{ do: 'run', argv: ['ip', 'link', 'set', 'dev', link, 'up'] }],
  whyKept: () => undefined,
  undo: ({ link }, _, host) =>
    lookAtLink(link, host)?.up === true ? [{ do: 'run', argv: ['ip', 'link', 'set', 'dev', link, 'down'] }] : [],
};
