/** Ports of networks of root's, made once for ordinary users: taps on a bridge, or macvtaps, for which a network needs nothing but a card. Pure. */
import { linkAliasOf, linkIndexOf, linkNameOf, type LinkOwner } from '../../link-name.ts';
import type { Mac } from '../../names.ts';
import { isolatedCommand } from '../../plan/bridge-commands.ts';
import { macvtapCommands, tapCommands } from '../../plan/link-commands.ts';
import type { Step } from '../../plan/step.ts';
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { isHarmless } from '../harmless.ts';
import { hostNetworkFiles, takerOf, type HostNetwork, type HostPort } from '../host-network.ts';
import type { Network } from '../network.ts';
import type { PortFacts } from '../plan-input.ts';

type PortMode = 'bridge' | 'macvtap';

/** Keys that no network honours whose guests are on the network outside. */
export const unhonoured: readonly { readonly path: readonly string[]; readonly why: string }[] = [
  ...['dhcp', 'dns', 'forwards'].map((key) => ({
    path: [key],
    why: 'addresses and names come from the network outside',
  })),
  { path: ['antiSpoof'], why: 'it has no rules for what a guest may send' },
  { path: ['hostDns'], why: 'it knows no names of guests' },
];

/** Who may take a port is said where there are ports, and nowhere else. */
export function portWhoFaults(written: WrittenMap): PathFault[] {
  const at = (path: readonly string[], message: string): PathFault => ({ path, at: 'key', message });
  const given = ['owner', 'group'].filter((key) => !isHarmless(written[key]));
  if (isHarmless(written['ports']))
    return given.map((key) => at([key], `${key} says who may take ports: write "ports" too`));
  if (given.length === 0) return [at(['ports'], 'who may take a port must be said: "owner" or "group"')];
  return given.length === 2 ? [at(['group'], 'either "owner" or "group" says who may take a port, not both')] : [];
}

interface PortFrom {
  readonly network: Network;
  readonly facts: PortFacts;
  readonly mac: Mac;
  readonly forward: PortMode;
}

/** No VM has a name with a `/` in it. */
const ownerOf = (number: number, { network: { name }, facts: { state }, forward }: PortFrom): LinkOwner => ({
  state,
  vm: `net/${name}`,
  nic: `port${number}`,
  role: forward === 'bridge' ? 'tap' : 'macvtap',
});

/** A port is as lasting as its MAC, and so is its name: of this network and number, and of no other. */
export function portOf(number: number, from: PortFrom): HostPort {
  const { network, facts, mac, forward } = from;
  const { vm, nic, role, state } = ownerOf(number, from);
  const of = { seed: [vm, state].join('\0'), nic, role };
  const lock = `${hostNetworkFiles(facts.host, network.name).ports}/${number}`;
  const port = { number, device: linkNameOf(of), mac, lock };
  if (forward === 'bridge') return port;
  const index = linkIndexOf(of);
  return { ...port, index, node: `/dev/tap${index}` };
}

/** Guests on one card meet as on a bridge, or not at all. */
export const macvtapModeOf = ({ isolatedPorts }: Pick<Network, 'isolatedPorts'>): 'bridge' | 'private' =>
  isolatedPorts ? 'private' : 'bridge';

export function portSteps(port: HostPort, { host, facts }: { host: HostNetwork; facts: PortFacts }): Step[] {
  const { number, device: name, mac, index, node } = port;
  const { definition: network } = host;
  const forward = index === undefined ? 'bridge' : 'macvtap';
  const alias = linkAliasOf(ownerOf(number, { network, facts, mac, forward }));
  const common = { name, alias, mac, ipv6: facts.ipv6 };
  const taker = takerOf(port, host);
  const user = {
    ...(taker.user !== undefined && { uid: taker.user }),
    ...(taker.group !== undefined && { gid: taker.group }),
  };
  const commands =
    index === undefined
      ? [
          ...tapCommands({ ...common, ...user, queues: 1, mtu: host.mtu, bridge: host.on }),
          ...(network.isolatedPorts ? [isolatedCommand(name)] : []),
        ]
      : macvtapCommands({
          ...common,
          ...{ index, parent: host.on, mode: macvtapModeOf(network), reached: network.hostAccess !== false },
        });
  const parent = index === undefined ? {} : { parent: host.on };
  const link: Step = { kind: 'link', id: `port:${number}`, needsRoot: true, name, alias, commands, mac, ...parent };
  if (index === undefined || node === undefined) return [link];
  const { user: uid, group } = host;
  return [
    link,
    {
      kind: 'port-node',
      id: `port-node:${number}`,
      needsRoot: true,
      link: name,
      index,
      path: node,
      ...(facts.udev && { settle: true }),
      ...(uid !== undefined && { user: uid }),
      ...(group !== undefined && { group }),
    },
  ];
}
