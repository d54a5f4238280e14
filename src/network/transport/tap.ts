/** Ports of networks of root's, made once for ordinary users: taps on a bridge, or macvtaps, for which a network needs nothing but a card. Pure. */
import { QrunError } from '../../errors.ts';
import type { HostLink } from '../../host/host-link.ts';
import { linkAliasOf, linkIndexOf, linkNameOf, type LinkOwner } from '../../link-name.ts';
import type { IfName, Mac } from '../../names.ts';
import { isolatedCommand } from '../../plan/bridge-commands.ts';
import { planHostAccess } from '../../plan/host-access.ts';
import { macvtapCommands, tapCommands } from '../../plan/link-commands.ts';
import type { Step } from '../../plan/step.ts';
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { isHarmless } from '../consistency.ts';
import { hostNetworkFiles, type HostNetwork, type HostPort } from '../host-network.ts';
import type { NetworkPlan } from '../network-plan.ts';
import type { ForwardMode, Network } from '../network.ts';
import type { NetworkPlanInput, PortFacts } from '../plan-input.ts';
import { valueAt } from '../written.ts';

type PortMode = HostNetwork['forward'];

export const hasPorts = (forward: ForwardMode): forward is PortMode => forward === 'bridge' || forward === 'macvtap';

/** Keys that no network honours whose guests are on the network outside. */
export const unhonoured: readonly { readonly path: readonly string[]; readonly why: string }[] = [
  ...['dhcp', 'dns', 'forwards'].map((key) => ({
    path: [key],
    why: 'addresses and names come from the network outside',
  })),
  { path: ['antiSpoof'], why: 'it has no rules for what a guest may send' },
  { path: ['hostDns'], why: 'it knows no names of guests' },
];

/** And none whose ports are macvtaps. */
const ofCards = [
  { path: ['addresses'], why: 'addresses and names come from the network outside' },
  { path: ['isolatedPorts'], why: 'it has no bridge' },
  { path: ['mtu'], why: 'ports have the MTU of what they stand on' },
  ...['name', 'stp', 'forwardDelay', 'mac'].map((key) => ({ path: ['bridge', key], why: 'it has no bridge' })),
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

/** Faults of a definition of scope system that hands out macvtaps. */
export function portFaults(written: WrittenMap, forward: ForwardMode): PathFault[] {
  if (forward !== 'macvtap') return [];
  const who = portWhoFaults(written);
  if (isHarmless(written['ports'])) return who;
  const at = (path: readonly string[], message: string): PathFault => ({ path, at: 'key', message });
  return [
    ...who,
    ...(isHarmless(valueAt(written, ['bridge', 'uplink']))
      ? [at(['ports'], 'the card that macvtaps stand on must be named: bridge: { uplink: eth1 }')]
      : []),
    ...[...unhonoured, ...ofCards].flatMap(({ path, why }) =>
      isHarmless(valueAt(written, path))
        ? []
        : [at(path, `forward: ${forward} with ports cannot honour ${path.join('.')}: ${why}`)],
    ),
  ];
}

/** @throws QrunError `permission`, `host-failed`; `not-implemented` without `ports` */
export function planPorts(network: Network, input: NetworkPlanInput): NetworkPlan {
  const { name, file } = network;
  const forward = 'macvtap';
  const facts = input.facts.ports;
  if (facts === undefined) {
    throw new QrunError('not-implemented', `network ${name}: forward: ${forward} without ports has nothing to make`, {
      hint: `write ports: 4 and owner or group in ${file}`,
    });
  }
  const base = baseOf(network, facts);
  const ports = facts.macs.map((mac, number) => portOf(number, { network, facts, mac, forward }));
  const host: HostNetwork = {
    name,
    runId: input.mark,
    forward,
    on: base.name as IfName,
    mtu: base.mtu,
    ...(facts.user !== undefined && { user: facts.user }),
    ...(facts.group !== undefined && { group: facts.group }),
    ports,
    definition: network,
  };
  const way = wayOf(network, { base, facts, links: ports.map(({ device }) => device) });
  const { record, ports: directory, macs } = hostNetworkFiles(facts.host, name);
  return {
    v: 1,
    network: name,
    file,
    scope: 'system',
    transport: 'tap',
    forward,
    attach: { by: 'port', host },
    forwards: [],
    steps: [
      ...ports.flatMap((port) => portSteps(port, { host, facts })),
      ...way.steps,
      {
        ...{ kind: 'host-network', id: 'registry', needsRoot: true, path: record, directory, macs, network: host },
        ...(facts.registry && { claims: { host: facts.host, state: facts.state } }),
      },
    ],
    notes: way.notes.map((note) => `network ${name}: ${note}`),
  };
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

export function portSteps(port: HostPort, { host, facts }: { host: HostNetwork; facts: PortFacts }): Step[] {
  const { number, device: name, mac, index, node } = port;
  const { definition: network, forward } = host;
  const alias = linkAliasOf(ownerOf(number, { network, facts, mac, forward }));
  const common = { name, alias, mac, ipv6: facts.ipv6 };
  const user = {
    ...(host.user !== undefined && { uid: host.user }),
    ...(host.group !== undefined && { gid: host.group }),
  };
  const commands =
    index === undefined
      ? [
          ...tapCommands({ ...common, ...user, queues: 1, mtu: host.mtu, bridge: host.on }),
          ...(network.isolatedPorts ? [isolatedCommand(name)] : []),
        ]
      : macvtapCommands({ ...common, index, parent: host.on, mode: 'bridge', reached: network.hostAccess !== false });
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

interface WayInput {
  readonly base: HostLink;
  readonly facts: PortFacts;
  readonly links: readonly string[];
}

/** After all ports, so that it is given back before them. */
function wayOf({ name, hostAccess: wanted }: Network, input: WayInput): ReturnType<typeof planHostAccess> {
  const { base, facts, links } = input;
  const { way: fact, ipv6 } = facts;
  if (wanted === false || fact === undefined) return { steps: [], notes: [] };
  const at = `network ${name}: hostAccess`;
  return planHostAccess({ at, id: 'host-access', parent: base, wanted, fact, ipv6, links });
}

function baseOf(network: Network, { link, rights }: PortFacts): HostLink {
  const at = `network ${network.name}`;
  const wanted = network.bridge?.uplink ?? '';
  if (!rights) {
    throw new QrunError('permission', `${at}: to make ports takes CAP_NET_ADMIN, and root has not got it here`, {
      hint: 'docker run --cap-add NET_ADMIN --device /dev/net/tun …',
    });
  }
  const fault = faultOfParent(wanted, link);
  if (link !== undefined && fault === undefined) return link;
  throw new QrunError('host-failed', `${at}: ${fault?.why ?? ''}`, { hint: fault?.hint ?? 'ip -brief link show' });
}

function faultOfParent(name: string, link: HostLink | undefined): { why: string; hint: string } | undefined {
  if (link === undefined) return { why: `there is no network card ${name}`, hint: 'ip -brief link show' };
  if (link.kind === 'wifi' || link.kind === 'loopback')
    return {
      why: `no macvtap can stand on ${name}, which is ${link.kind === 'wifi' ? 'Wi-Fi' : 'the loopback'}`,
      hint: 'name a card with a cable',
    };
  if (link.master !== undefined)
    return {
      why: `${name} is a port of ${link.master}, which takes all of its frames`,
      hint: `forward: bridge with bridge: { name: ${link.master} }`,
    };
  return link.up ? undefined : { why: `${name} is down`, hint: `sudo ip link set dev ${name} up` };
}
