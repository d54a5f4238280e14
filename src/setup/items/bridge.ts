/** A bridge that setup makes. It has a MAC of its own from the start: the kernel's would follow the first port, and with it DHCP leases. */
import type { BridgeItem, SetupAction } from '../item.ts';
import type { SetupKind } from '../kind.ts';
import { lookAtLink, portsOf } from './look.ts';

export const bridgeAlias = 'qrun setup';

export const bridge: SetupKind<BridgeItem> = {
  isDone: ({ name }, host) => {
    const link = lookAtLink(name, host);
    return link?.kind === 'bridge' && link.alias === bridgeAlias && link.up;
  },
  before: () => ({}),
  actions: (item, _, host) =>
    bridgeCommands(item)
      .slice(lookAtLink(item.name, host) === undefined ? 0 : 1)
      .map(({ argv, mayFail }): SetupAction => ({ do: 'run', argv, ...(mayFail === true && { mayFail }) })),
  whyKept: ({ name }, _, host) => {
    const link = lookAtLink(name, host);
    if (link === undefined) return undefined;
    if (link.kind !== 'bridge') return { why: `${name} is another interface by now`, forget: true };
    const ports = portsOf(name, host);
    return ports.length === 0
      ? undefined
      : { why: `${name} has ports: ${ports.join(', ')} (end what uses them first)` };
  },
  undo: ({ name }, _, host) =>
    lookAtLink(name, host) === undefined
      ? []
      : [{ do: 'run', argv: ['ip', 'link', 'delete', 'dev', name, 'type', 'bridge'] }],
};

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
