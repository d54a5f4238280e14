/** An address of the host's on the bridge, so that host and guests talk. */
import type { AddressItem } from '../item.ts';
import type { SetupHost, SetupKind } from '../kind.ts';
import { whyTheirs } from './bridge.ts';
import { lookAtLink } from './look.ts';

const has = ({ link, cidr }: AddressItem, host: SetupHost): boolean =>
  lookAtLink(link, host)?.addresses.some((one) => one.cidr === cidr) === true;

export const address: SetupKind<AddressItem> = {
  isDone: has,
  before: () => ({}),
  actions: (item) => [{ do: 'run', argv: addressCommand(item) }],
  // of a bridge that somebody made anew it is theirs as well
  whyKept: (item, _, host) => (has(item, host) ? whyTheirs(item.link, host) : undefined),
  undo: (item, _, host) =>
    has(item, host) ? [{ do: 'run', argv: ['ip', 'address', 'delete', item.cidr, 'dev', item.link] }] : [],
};

/** May be given again. `nodad`: a bridge without ports could not look for a duplicate, and would not use an IPv6 address until then. */
export const addressCommand = ({ link, cidr }: Pick<AddressItem, 'link' | 'cidr'>): string[] => [
  ...['ip', 'address', 'replace', cidr, 'dev', link],
  ...(cidr.includes(':') ? ['nodad'] : []),
];
