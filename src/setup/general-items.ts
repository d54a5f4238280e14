/** What no network needs a name for: the registry, accounts, modules, settings, and the rules that keep others off qrun's interfaces. Pure. */
import { dhcpcdItems, type UplinkPair } from './dhcpcd-items.ts';
import type { SetupFacts } from './facts.ts';
import type { SetupItem } from './item.ts';
import { ownFile } from './own-file.ts';

export const pingRangeKey = 'net.ipv4.ping_group_range';
/** Every group: guests of `kind: user` may ping then. */
const everyGroup = '0 2147483647';
export const wantedModules = ['tun', 'macvtap', 'vhost_net'];
/** Names of interfaces that qrun makes. */
const ownNames = 'qr-*';
export const runAsName = 'qrun';

export interface GeneralInput {
  readonly facts: SetupFacts;
  readonly group: string | undefined;
  /** Bridges that setup made and nobody but setup keeps: network managers leave them alone. */
  readonly bridges: readonly string[];
  /** Which network card is a port of which bridge. */
  readonly uplinks: readonly UplinkPair[];
  /** The host's ways to macvtaps. */
  readonly ways: readonly { readonly name: string; readonly managed: boolean }[];
}

export function generalItems(input: GeneralInput): SetupItem[] {
  const { facts, group } = input;
  return [
    { kind: 'directory', what: "the host's registry of MACs", path: facts.macs, mode: 0o1777 },
    ...accountItems(group),
    ...moduleItems(facts),
    ...pingItems(facts),
    ...udevItems(facts),
    ...unmanagedItems(input),
  ];
}

function accountItems(group: string | undefined): SetupItem[] {
  const account: SetupItem = { kind: 'account', what: `user ${runAsName}, for QEMU of root's`, name: runAsName };
  if (group === undefined) return [account];
  return [
    { kind: 'group', what: `group ${group}`, name: group },
    account,
    { kind: 'member', what: `${runAsName} in group ${group}`, user: runAsName, group },
  ];
}

/** Those that are built in are none; those that this kernel has not are left out. */
function moduleItems({ modules, recorded }: SetupFacts): SetupItem[] {
  const known = recorded.flatMap(({ item }) => (item.kind === 'module' ? [item.name] : []));
  const names = wantedModules.filter((name) => modules[name] === 'available' || known.includes(name));
  if (names.length === 0) return [];
  return [
    ...names.map((name): SetupItem => ({ kind: 'module', what: `module ${name}`, name })),
    ownFile({ what: 'modules at each start', path: '/etc/modules-load.d/qrun.conf', lines: names }),
  ];
}

function pingItems({ pingRange, recorded }: SetupFacts): SetupItem[] {
  const known = recorded.some(({ item }) => item.kind === 'sysctl' && item.key === pingRangeKey);
  if (pingRange === undefined || (pingRange === everyGroup && !known)) return [];
  return [
    { kind: 'sysctl', what: 'guests of `kind: user` may ping', key: pingRangeKey, value: everyGroup },
    ownFile({
      what: 'the same at each start',
      path: '/etc/sysctl.d/60-qrun.conf',
      lines: [`${pingRangeKey} = ${everyGroup}`],
    }),
  ];
}

function udevItems({ watchers }: SetupFacts): SetupItem[] {
  if (!watchers.udev) return [];
  const reload = [['udevadm', 'control', '--reload']];
  return [
    ownFile({
      what: "udev: qrun's own taps and macvtaps",
      path: '/etc/udev/rules.d/60-qrun.rules',
      lines: [
        `ACTION=="remove", GOTO="qrun_end"`,
        `SUBSYSTEM=="net", KERNEL=="${ownNames}", ENV{NM_UNMANAGED}="1"`,
        '# Only when it is made: what its user was given since is not taken away again.',
        `ACTION=="add", SUBSYSTEM=="macvtap", KERNELS=="${ownNames}", OWNER="root", GROUP="root", MODE="0600"`,
        `LABEL="qrun_end"`,
      ],
      reload,
    }),
    ownFile({
      what: 'udev: their names and MACs stay as qrun gave them',
      path: '/etc/systemd/network/05-qrun.link',
      lines: ['[Match]', `OriginalName=${ownNames}`, '', '[Link]', 'NamePolicy=', 'MACAddressPolicy=none'],
      reload,
    }),
  ];
}

function unmanagedItems(input: GeneralInput): SetupItem[] {
  const { facts, bridges, ways } = input;
  const { watchers } = facts;
  const names = [ownNames, ...bridges, ...ways.flatMap(({ name, managed }) => (managed ? [] : [name]))];
  const items: SetupItem[] = [];
  if (watchers.networkManager)
    items.push(
      ownFile({
        what: 'NetworkManager leaves them alone',
        path: '/etc/NetworkManager/conf.d/90-qrun.conf',
        lines: [
          '[device-qrun]',
          `match-device=${names.map((name) => `interface-name:${name}`).join(';')}`,
          'managed=0',
        ],
        reload: [['nmcli', 'general', 'reload', 'conf']],
      }),
    );
  if (watchers.networkd)
    items.push(
      ownFile({
        what: 'systemd-networkd leaves them alone',
        path: '/etc/systemd/network/06-qrun.network',
        lines: ['[Match]', `Name=${names.join(' ')}`, '', '[Link]', 'Unmanaged=yes'],
        reload: [['networkctl', 'reload']],
      }),
    );
  return [...items, ...dhcpcdItems({ ...input, names })];
}
