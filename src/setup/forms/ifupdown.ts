/** For a host of ifupdown's: a file beside /etc/network/interfaces, which reads it. It needs no bridge-utils. */
import { bridgeCommands } from '../items/bridge.ts';
import { moveAddress, moveNeighbour, routeCommands } from '../items/uplink-commands.ts';
import { ownFile } from '../own-file.ts';
import { shellWords } from '../../shell-word.ts';
import { lastingRoutes, plainAddresses, specialAddresses, metricOf, type Form, type FormInput } from './form.ts';

export const ifupdown: Form = (input) => {
  const { bridge, uplink } = input;
  const { name } = bridge;
  const commands = bridgeCommands(bridge).map(({ argv, mayFail }, index) =>
    index === 0 || mayFail === true ? `${shellWords(argv)} || true` : shellWords(argv),
  );
  const port =
    uplink === undefined ? [] : [`ip link set dev ${uplink.name} master ${name}`, `ip link set dev ${uplink.name} up`];
  return [
    ownFile({
      what: `${name} at each start of the host, by ifupdown`,
      // its way of naming what it reads leaves names with a dot out
      path: `/etc/network/interfaces.d/qrun-${name.replaceAll('.', '_')}`,
      lines: [
        `auto ${name}`,
        ...firstLine(input),
        ...[...commands, ...port].map((command) => `    pre-up ${command}`),
        ...addressLines(input),
        ...specialAddresses(input).map((address) => `    up ${shellWords(moveAddress(address, name, false))}`),
        ...lastingRoutes(input)
          .flatMap((route) => routeCommands(route, name))
          .map(({ argv, mayFail }) => `    up ${shellWords(argv)}${mayFail === true ? ' || true' : ''}`),
        ...(uplink?.neighbours ?? []).map((neighbour) => `    up ${shellWords(moveNeighbour(neighbour, name))}`),
      ],
    }),
  ];
};

function firstLine(input: FormInput): string[] {
  const { bridge, uplink } = input;
  if (uplink?.dynamic !== true) return [`iface ${bridge.name} inet manual`];
  const metric = metricOf(input);
  return [`iface ${bridge.name} inet dhcp`, ...(metric === undefined ? [] : [`    metric ${metric}`])];
}

function addressLines(input: FormInput): string[] {
  const { name } = input.bridge;
  return plainAddresses(input).flatMap((cidr) => {
    const isIpv6 = cidr.includes(':');
    return [
      `iface ${name} ${isIpv6 ? 'inet6' : 'inet'} static`,
      `    address ${cidr}`,
      ...(isIpv6 ? ['    dad-attempts 0'] : []),
    ];
  });
}
