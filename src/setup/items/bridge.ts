/** A bridge that setup makes. It has a MAC of its own from the start: the kernel's would follow the first port, and with it DHCP leases. */
import type { BridgeItem, SetupAction } from '../item.ts';
import type { Kept, RecordedHost, SetupHost, SetupKind } from '../kind.ts';
import { lookAtLink, portsOf, type LinkLook } from './look.ts';

export const bridgeAlias = 'qrun setup';

export const bridge: SetupKind<BridgeItem> = {
  isDone: (item, host) => {
    const link = lookAtLink(item.name, host);
    return link !== undefined && faultOfOurs(item, link, 'done') === undefined && link.up;
  },
  // it may have been made, and no more
  resumes: true,
  before: () => ({}),
  actions: (item, _, host) =>
    bridgeCommands(item)
      .slice(lookAtLink(item.name, host) === undefined ? 0 : 1)
      .map(({ argv, mayFail }): SetupAction => ({ do: 'run', argv, ...(mayFail === true && { mayFail }) })),
  whyKept: (item, _, host) => {
    const { name } = item;
    const link = lookAtLink(name, host);
    if (link === undefined) return undefined;
    const fault = faultOfOurs(item, link, host.state);
    if (fault !== undefined) return { why: fault, forget: true };
    return whyInUse(name, link, host);
  },
  undo: ({ name }, _, host) =>
    lookAtLink(name, host) === undefined
      ? []
      : [{ do: 'run', argv: ['ip', 'link', 'delete', 'dev', name, 'type', 'bridge'] }],
};

function whyInUse(name: string, { addresses }: LinkLook, host: SetupHost): { readonly why: string } | undefined {
  const ports = portsOf(name, host);
  if (ports.length > 0) return { why: `${name} has ports: ${ports.join(', ')} (end what uses them first)` };
  // those that setup gave it are gone by now; a router's or a DHCP server's come and go by themselves
  const others = addresses.filter(({ link, dynamic }) => !link && !dynamic).map(({ cidr }) => cidr);
  return others.length === 0
    ? undefined
    : { why: `${name} has addresses that are not setup's: ${others.join(', ')} (take them away first)` };
}

/** Of a bridge that somebody made anew all that is on it is theirs as well. Undefined: setup's own, one that was there before, or gone. */
export function whyTheirs(name: string, host: RecordedHost): Kept | undefined {
  const maker = host.entries.find(({ item }) => item.kind === 'bridge' && item.name === name);
  const link = lookAtLink(name, host);
  if (maker?.item.kind !== 'bridge' || link === undefined) return undefined;
  const why = faultOfOurs(maker.item, link, maker.state);
  return why === undefined ? undefined : { why, forget: true };
}

/**
 * Why it is not the bridge that setup made, whatever its name is. Without an alias it is the one that a network manager made at a start of the host, or
 * that a killed setup began, or one with a MAC that only setup gives.
 */
export function faultOfOurs(
  { name, mac, acceptRa, managed }: BridgeItem,
  { kind, mac: found, alias }: LinkLook,
  state: RecordedHost['state'],
): string | undefined {
  if (kind !== 'bridge') return `${name} is another interface by now`;
  if (found !== mac) return `${name} is another bridge by now: its MAC is ${found ?? 'none'}, and setup's was ${mac}`;
  // with an uplink the MAC is a card's, which any bridge over it would have
  const needless = managed === true || state === 'begun' || !acceptRa;
  if (alias === bridgeAlias || (alias === undefined && needless)) return undefined;
  return `${name} is somebody else's by now: its alias is ${JSON.stringify(alias ?? '')}, and setup's was "${bridgeAlias}"`;
}

export interface BridgeCommand {
  readonly argv: readonly string[];
  readonly mayFail?: true;
}

/** The first makes it; all others may be given again. `forward_delay 0`: a guest would wait 15 s for its first frame. */
export function bridgeCommands({ name, mac, acceptRa }: BridgeItem): BridgeCommand[] {
  return [
    {
      argv: [
        'ip',
        'link',
        'add',
        'name',
        name,
        'address',
        mac,
        'type',
        'bridge',
        'stp_state',
        '0',
        'forward_delay',
        '0',
      ],
    },
    // an alias that is given at once is dropped without a word
    { argv: ['ip', 'link', 'set', 'dev', name, 'alias', bridgeAlias] },
    ...(acceptRa
      ? []
      : [{ argv: ['sysctl', '-q', '-w', `net/ipv6/conf/${name}/accept_ra=0`], mayFail: true } as const]),
    { argv: ['ip', 'link', 'set', 'dev', name, 'up'] },
  ];
}
