/** The host's way to the macvtaps of a card, made to last. It is made anew where it is not as it should be: it is an interface of setup's alone. */
import { readHostLink } from '../../host/host-link.ts';
import { reachedGroup } from '../../host-way-name.ts';
import { wayCommands, waySettings } from '../../plan/host-access.ts';
import type { SetupAction, WayItem } from '../item.ts';
import type { RecordedHost, SetupHost, SetupKind } from '../kind.ts';
import { bridgeAlias } from './bridge.ts';
import { lookAtLink, type LinkLook } from './look.ts';

export const way: SetupKind<WayItem> = {
  isDone: (item, host) => {
    const look = lookAtLink(item.name, host);
    const there = look?.addresses.map(({ cidr }) => cidr) ?? [];
    return (
      look?.kind === 'macvlan' &&
      look.up &&
      look.mac === item.mac &&
      item.addresses.every((one) => there.includes(lengthened(one))) &&
      item.routes.every(({ to }) => routesOf(item.name, host).includes(to)) &&
      there.filter((one) => !/^fe[89ab]/i.test(one)).length === item.addresses.length
    );
  },
  before: () => ({}),
  actions: (item, _, host) => [
    ...(lookAtLink(item.name, host) === undefined ? [] : [remove(item)]),
    ...waySteps(item).map(({ argv, mayFail }): SetupAction => ({
      do: 'run',
      argv,
      ...(mayFail === true && { mayFail }),
    })),
  ],
  whyKept: (item, _, host) => {
    const { name, parent } = item;
    const look = lookAtLink(name, host);
    const fault = look === undefined ? undefined : faultOfOurWay(item, look, host.state);
    if (fault !== undefined) return { why: fault, forget: true };
    const users = look === undefined ? [] : reachedBy(parent);
    return users.length === 0
      ? undefined
      : { why: `${users.join(', ')} on ${parent} are reached by it (end them first)` };
  },
  undo: (item, _, host) => (lookAtLink(item.name, host) === undefined ? [] : [remove(item)]),
};

/** Why it is not the one that setup made. Without an alias it is a network manager's, or one that a killed setup began. */
export function faultOfOurWay(
  { name, mac, managed }: WayItem,
  { kind, mac: found, alias }: LinkLook,
  state: RecordedHost['state'],
): string | undefined {
  if (kind !== 'macvlan') return `${name} is another interface by now`;
  if (found !== mac) return `${name} is somebody else's by now: its MAC is ${found ?? 'none'}, and setup's was ${mac}`;
  if (alias === bridgeAlias || (alias === undefined && (managed || state === 'begun'))) return undefined;
  return `${name} is somebody else's by now: its alias is ${JSON.stringify(alias ?? '')}, and setup's was "${bridgeAlias}"`;
}

const remove = ({ name }: WayItem): SetupAction => ({ do: 'run', argv: ['ip', 'link', 'delete', 'dev', name] });
const lengthened = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;

const reachedBy = (parent: string): string[] =>
  (readHostLink(parent)?.uppers ?? []).filter((upper) => readHostLink(upper)?.group === reachedGroup);

function routesOf(name: string, { system }: SetupHost): string[] {
  return ['-4', '-6'].flatMap((family) => {
    const { status, stdout } = system.runNow('ip', [family, 'route', 'show', 'dev', name], { timeoutMs: 30_000 });
    return status === 0 ? stdout.split('\n').map((line) => line.split(' ')[0] ?? '') : [];
  });
}

export interface WayCommand {
  readonly argv: readonly string[];
  readonly mayFail?: true;
}

/** The first makes it; all others may be given again. What stands on a card that is down cannot be taken up. */
export function waySteps({ name, parent, mac, addresses, routes }: WayItem): WayCommand[] {
  const { add, rest } = wayCommands({ name, parent, mac }, { addresses, routes });
  return [
    { argv: ['ip', ...add] },
    { argv: ['ip', 'link', 'set', 'dev', name, 'alias', bridgeAlias] },
    { argv: ['sysctl', '-q', '-w', ...waySettings(name, { addresses, routes })], mayFail: true },
    ...rest.map((words) => ({ argv: ['ip', ...words] })),
  ];
}
