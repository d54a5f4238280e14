/** What keeps the host's way to macvtaps over the next start of the host, whoever makes the host's interfaces then. */
import { shellWords } from '../../shell-word.ts';
import type { HostManager, SetupFacts } from '../facts.ts';
import type { SetupItem, WayItem } from '../item.ts';
import { wantedBy } from '../items/unit.ts';
import { waySteps } from '../items/way.ts';
import { ownFile } from '../own-file.ts';
import { deviceOf, execLine } from './oneshot.ts';

export interface WayFormInput {
  readonly way: WayItem;
  readonly paths: SetupFacts['paths'];
  /** Of the card, by systemd-networkd: the name of the file that it is configured by. */
  readonly networkFile?: string;
}

type WayForm = (input: WayFormInput) => SetupItem[];

const byOneshot: WayForm = ({ way, paths }) => {
  const { name, parent } = way;
  const unit = `qrun-host-access-${parent}.service`;
  const device = `sys-subsystem-net-devices-${deviceOf(parent)}.device`;
  const [add, ...others] = waySteps(way);
  const commands = [
    { argv: ['ip', 'link', 'set', 'dev', parent, 'up'], mayFail: true },
    // it may be there already, when the unit is started by hand
    ...(add === undefined ? [] : [{ argv: add.argv, mayFail: true }]),
    ...others,
  ];
  return [
    ownFile({
      what: `${name} at each start of the host`,
      path: `/etc/systemd/system/${unit}`,
      lines: [
        ...['[Unit]', `Description=The way of the host to guests on ${parent} (qrun setup)`],
        ...[`After=network-pre.target ${device}`, `Wants=network-pre.target ${device}`, 'Before=network.target', ''],
        ...['[Service]', 'Type=oneshot', 'RemainAfterExit=yes'],
        ...commands.map(({ argv, mayFail }) => `ExecStart=${mayFail === true ? '-' : ''}${execLine(argv, paths)}`),
        ...['', '[Install]', `WantedBy=${wantedBy}`],
      ],
      reload: [['systemctl', 'daemon-reload']],
    }),
    { kind: 'unit', what: `${unit} starts with the host`, name: unit },
  ];
};

const byIfupdown: WayForm = ({ way }) => {
  const { name, parent } = way;
  const [add, ...others] = waySteps(way);
  const line = ({ argv, mayFail }: { argv: readonly string[]; mayFail?: true }): string =>
    `${shellWords(argv)}${mayFail === true ? ' || true' : ''}`;
  return [
    ownFile({
      what: `${name} at each start of the host, by ifupdown`,
      // its way of naming what it reads leaves names with a dot out
      path: `/etc/network/interfaces.d/qrun-${name.replaceAll('.', '_')}`,
      lines: [
        ...[`auto ${name}`, `iface ${name} inet manual`, `    pre-up ip link set dev ${parent} up`],
        ...(add === undefined ? [] : [`    pre-up ${line({ argv: add.argv, mayFail: true })}`]),
        ...others.map((one) => `    up ${line(one)}`),
        `    post-down ip link delete dev ${name} || true`,
      ],
    }),
  ];
};

/** The card's own file says what stands on it: ours is beside that file, which stays as it is. */
const byNetworkd: WayForm = (input) => {
  const { way, networkFile } = input;
  if (networkFile === undefined) return byOneshot(input);
  const { name, parent, mac, addresses, routes } = way;
  const file = (path: string, what: string, lines: readonly string[]) =>
    ownFile({ what, path: `/etc/systemd/network/${path}`, lines, reload: [['networkctl', 'reload']] });
  return [
    file(`05-qrun-${name}.netdev`, `${name} at each start of the host, by systemd-networkd`, [
      ...['[NetDev]', `Name=${name}`, 'Kind=macvlan', `MACAddress=${mac}`, '', '[MACVLAN]', 'Mode=bridge'],
    ]),
    file(`05-qrun-${name}.network`, `what ${name} has`, [
      ...['[Match]', `Name=${name}`, '', '[Link]', 'RequiredForOnline=no', ''],
      ...['[Network]', 'IPv6AcceptRA=no', 'LinkLocalAddressing=ipv6'],
      ...addresses.flatMap((address) => [
        ...['', '[Address]', `Address=${address}/${address.includes(':') ? 128 : 32}`],
        ...['AddPrefixRoute=no', 'DuplicateAddressDetection=none'],
      ]),
      ...routes.flatMap(({ to, src }) => [
        ...['', '[Route]', `Destination=${to}`, `PreferredSource=${src}`],
        ...(to.includes(':') ? [] : ['Scope=link']),
      ]),
    ]),
    file(`${networkFile}.d/qrun-${name}.conf`, `${name} stands on ${parent}`, ['[Network]', `MACVLAN=${name}`]),
  ];
};

const byNetworkManager: WayForm = ({ way }) => {
  const { name, parent, mac } = way;
  const id = `qrun-${name}`;
  return [
    ownFile({
      what: `${name} at each start of the host, by NetworkManager`,
      path: `/etc/NetworkManager/system-connections/${id}.nmconnection`,
      // it reads none that others can read
      mode: 0o600,
      lines: [
        ...['[connection]', `id=${id}`, 'type=macvlan', `interface-name=${name}`, 'autoconnect=true', ''],
        // 2: bridge
        ...['[ethernet]', `cloned-mac-address=${mac}`, '', '[macvlan]', `parent=${parent}`, 'mode=2', ''],
        ...ipLines(way, '-4'),
        '',
        ...ipLines(way, '-6'),
      ],
      reload: [
        ['nmcli', 'connection', 'reload'],
        ['nmcli', '--wait', '10', 'connection', 'up', id],
      ],
    }),
  ];
};

function ipLines({ addresses, routes }: WayItem, family: '-4' | '-6'): string[] {
  const [heading, length, without] =
    family === '-4' ? (['[ipv4]', 32, 'disabled'] as const) : (['[ipv6]', 128, 'link-local'] as const);
  const isOurs = (text: string): boolean => text.includes(':') === (family === '-6');
  const own = addresses.filter(isOurs);
  return [
    heading,
    `method=${own.length === 0 ? without : 'manual'}`,
    ...own.map((address, index) => `address${index + 1}=${address}/${length}`),
    ...(own.length === 0 ? [] : ['never-default=true']),
    ...routes
      .filter(({ to }) => isOurs(to))
      .flatMap(({ to, src }, index) => [`route${index + 1}=${to}`, `route${index + 1}_options=src=${src}`]),
  ];
}

const forms: Readonly<Record<HostManager, WayForm>> = {
  'network-manager': byNetworkManager,
  networkd: byNetworkd,
  ifupdown: byIfupdown,
  systemd: byOneshot,
  none: () => [],
};

export const wayForm = (manager: HostManager, input: WayFormInput): SetupItem[] => forms[manager](input);

/** Whether a network manager makes it, which then must not be kept off it. */
export const isManaged = (manager: HostManager, { networkFile }: Pick<WayFormInput, 'networkFile'>): boolean =>
  manager === 'network-manager' || (manager === 'networkd' && networkFile !== undefined);
