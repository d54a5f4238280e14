/** What dhcpcd, which takes every interface that it sees, is told. Pure. https://man.archlinux.org/man/dhcpcd.conf.5 */
import type { SetupFacts } from './facts.ts';
import { metricOf } from './forms/form.ts';
import type { SetupItem } from './item.ts';
import type { UplinkLook } from './items/uplink-look.ts';

/** From the first of them on, what dhcpcd.conf says is of that interface or network alone. */
export const dhcpcdBlocks = ['interface', 'ssid', 'profile'];
export const dhcpcdUnit = 'dhcpcd.service';
/** It reads who is denied when it starts, and not when it is told to read its file again. */
export const dhcpcdRestart = [['systemctl', 'try-restart', dhcpcdUnit]];

export interface UplinkPair {
  readonly link: string;
  readonly bridge: string;
  /** This setup makes it so. */
  readonly isNew?: boolean;
  readonly had?: UplinkLook;
}

export interface DhcpcdInput {
  readonly facts: SetupFacts;
  /** Of interfaces that nobody but qrun has to do with. */
  readonly names: readonly string[];
  readonly uplinks: readonly UplinkPair[];
  readonly ways: readonly { readonly name: string; readonly managed: boolean }[];
}

export function dhcpcdItems({ facts, names, uplinks, ways }: DhcpcdInput): SetupItem[] {
  const { dhcpcd: path, dhcpcdRuns } = facts.watchers;
  if (path === undefined) return [];
  // an address of the LAN's is asked for on the bridge then, and on its port no more
  const lan = uplinks.map(({ bridge }) => bridge);
  const made = ways.flatMap(({ name, managed }) => (managed ? [name] : []));
  const denied = [...names.filter((name) => !lan.includes(name)), ...made, ...uplinks.map(({ link }) => link)];
  // of a card that is no port yet it would give up the addresses before they are written down
  const waits = uplinks.some(({ isNew }) => isNew === true);
  const reload = { ...(!waits && { made: dhcpcdRestart }), undone: dhcpcdRestart };
  return [
    {
      ...{ kind: 'line', what: 'dhcpcd leaves them alone', path, line: `denyinterfaces ${denied.join(' ')}` },
      ...{ mode: 0o644, above: dhcpcdBlocks },
      ...(dhcpcdRuns === true && { reload }),
    },
    ...(asksOnBridges(facts) ? uplinks.flatMap((pair) => blockOf(pair, path)) : []),
  ];
}

/** Whether dhcpcd is the one that asks for addresses: who makes the host's interfaces asks itself. */
export const asksOnBridges = ({ manager, watchers: { dhcpcd, dhcpcdRuns } }: SetupFacts): boolean =>
  dhcpcd !== undefined && dhcpcdRuns === true && (manager === 'systemd' || manager === 'none');

/** It passes over bridges that its file does not name. Its metric is by the number of the interface else, which is another for the bridge. */
function blockOf({ bridge, had }: UplinkPair, path: string): SetupItem[] {
  if (had?.dynamic !== true) return [];
  const metric = metricOf({ uplink: { ...had, name: bridge } });
  const lines = [`interface ${bridge}`, ...(metric === undefined ? [] : [`metric ${metric}`])];
  return [{ kind: 'line', what: `dhcpcd asks on ${bridge}`, path, line: lines.join('\n'), mode: 0o644 }];
}
