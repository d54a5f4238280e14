/** A unit of systemd's, for a host whose interfaces nobody makes that setup knows. It needs nothing of qrun's. */
import { addressCommand } from '../items/address.ts';
import { bridgeCommands } from '../items/bridge.ts';
import { wantedBy } from '../items/unit.ts';
import { moveAddress, moveNeighbour, routeCommands } from '../items/uplink-commands.ts';
import { ownFile } from '../own-file.ts';
import { lastingRoutes, uplinkAddresses, type Form } from './form.ts';

export const oneshot: Form = (input) => {
  const { bridge, uplink, paths } = input;
  const name = `qrun-bridge-${bridge.name}.service`;
  const [add, ...others] = bridgeCommands(bridge);
  const commands: Command[] = [
    // the bridge may be there already, when the unit is started by hand
    ...(add === undefined ? [] : [{ argv: add.argv, mayFail: true }]),
    ...others,
    ...uplinkCommands(uplink?.name, bridge.name),
    ...uplinkAddresses(input).map((address) => ({ argv: moveAddress(address, bridge.name, false) })),
    ...input.addresses.map((cidr) => ({ argv: addressCommand({ link: bridge.name, cidr }) })),
    ...lastingRoutes(input).flatMap((route) => routeCommands(route, bridge.name)),
    ...(uplink?.neighbours ?? []).map((neighbour) => ({ argv: moveNeighbour(neighbour, bridge.name) })),
  ];
  const device = uplink === undefined ? [] : [`sys-subsystem-net-devices-${deviceOf(uplink.name)}.device`];
  const lines = [
    '[Unit]',
    `Description=Bridge ${bridge.name} (qrun setup)`,
    `After=${['network-pre.target', ...device].join(' ')}`,
    `Wants=${['network-pre.target', ...device].join(' ')}`,
    'Before=network.target',
    '',
    '[Service]',
    'Type=oneshot',
    'RemainAfterExit=yes',
    ...commands.map(({ argv, mayFail }) => `ExecStart=${mayFail === true ? '-' : ''}${execLine(argv, paths)}`),
    '',
    '[Install]',
    `WantedBy=${wantedBy}`,
  ];
  const reload = [['systemctl', 'daemon-reload']];
  return [
    ownFile({ what: `${bridge.name} at each start of the host`, path: `/etc/systemd/system/${name}`, lines, reload }),
    { kind: 'unit', what: `${name} starts with the host`, name },
  ];
};

interface Command {
  readonly argv: readonly string[];
  readonly mayFail?: boolean;
}

const uplinkCommands = (link: string | undefined, bridge: string): Command[] =>
  link === undefined
    ? []
    : [
        { argv: ['ip', 'link', 'set', 'dev', link, 'master', bridge] },
        { argv: ['ip', 'link', 'set', 'dev', link, 'up'] },
      ];

/** Programs by their path. What has a blank is quoted; `$`, `%` and quotes cannot be in names and addresses that were checked. */
export function execLine([tool = '', ...args]: readonly string[], paths: Readonly<Record<string, string>>): string {
  return [paths[tool] ?? tool, ...args].map((word) => (/[\s;]/.test(word) ? `"${word}"` : word)).join(' ');
}

/** As systemd-escape does it: `-` stands for a slash there. */
export const deviceOf = (name: string): string =>
  name.replaceAll(/[^A-Za-z0-9:_.]/g, (one) => `\\x${one.charCodeAt(0).toString(16)}`);
