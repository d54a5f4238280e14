/** A network on a bridge that the world outside is on too: one of the host's, or one of its own with a card or other hosts as ports. Pure. */
import { QrunError } from '../../errors.ts';
import type { HostLink } from '../../host/host-link.ts';
import { linkAliasOf } from '../../link-name.ts';
import type { IfName } from '../../names.ts';
import { bridgeCommands } from '../../plan/bridge-commands.ts';
import type { LinkStep } from '../../plan/step.ts';
import { bridgeMacOf, bridgeNameOf } from '../bridged/names.ts';
import { guestSteps, onSwitch } from '../bridged/vde.ts';
import { requireFreeSubnets } from '../bridged/free-subnets.ts';
import type { HostNetwork } from '../host-network.ts';
import { registryStep, watchSteps } from '../host-steps.ts';
import type { NetworkPlan } from '../network-plan.ts';
import type { Network } from '../network.ts';
import type { NetworkPlanInput, PortFacts } from '../plan-input.ts';
import { portOf } from '../transport/tap.ts';
import { longestMtu } from '../transport/vde.ts';
import { linkSteps, planLinks } from './links.ts';
import { isTheirs } from './mode.ts';

interface Look {
  readonly network: Network;
  readonly facts: PortFacts;
  readonly bridge: IfName;
  /** Undefined: qrun makes it. */
  readonly theirs?: HostLink;
}

/** @throws QrunError `permission`, `host-failed`, `in-use` (a bridge or a card that is another's) */
export function planJoined(network: Network, input: NetworkPlanInput): NetworkPlan {
  const facts = input.facts.ports;
  if (facts === undefined) throw new QrunError('bug', `nobody looked at what ${network.name} is made of`);
  const look = lookAt(network, facts);
  const { bridge, theirs } = look;
  if (theirs === undefined) requireFreeSubnets(network, input.facts, [bridge]);
  const { uplink } = network.bridge ?? {};
  if (uplink !== undefined) requireUplink(uplink, look);
  const links = linksOf(look);
  const mtu = mtuOf(look, links);
  const host = hostOf(look, { mtu, runId: input.mark });
  return {
    v: 1,
    network: network.name,
    file: network.file,
    scope: 'system',
    transport: host.vde === undefined ? 'tap' : 'vde',
    forward: 'bridge',
    attach: { by: 'bridge', bridge, mtu, isolated: network.isolatedPorts },
    forwards: [],
    ...(links.length > 0 && { links: links.map(({ alias: _alias, ...link }) => link) }),
    steps: [
      ...(theirs === undefined ? [bridgeStep(look, mtu)] : []),
      ...(uplink === undefined
        ? []
        : [{ kind: 'uplink', id: 'uplink', needsRoot: true, name: uplink, bridge } as const]),
      ...linkSteps(links, { bridge, mtu, ipv6: facts.ipv6 }),
      ...guestSteps(host, { facts, input, alone: true }),
      ...watchSteps(network, input, host),
      registryStep(host, { facts, input }),
    ],
    notes: notesOf(look, mtu),
  };
}

function lookAt(network: Network, facts: PortFacts): Look {
  const at = `network ${network.name}`;
  const bridge = bridgeNameOf(network);
  const { link, rights } = facts;
  if (!rights) {
    throw new QrunError('permission', `${at}: to make ports takes CAP_NET_ADMIN, and root has not got it here`, {
      hint: 'docker run --cap-add NET_ADMIN --device /dev/net/tun …',
    });
  }
  if (isTheirs(network.bridge)) {
    if (link?.kind === 'bridge') return { network, facts, bridge, theirs: link };
    throw new QrunError(
      'host-failed',
      link === undefined ? `${at}: there is no bridge ${bridge}` : `${at}: ${bridge} is no bridge`,
      { hint: link === undefined ? `sudo qrun setup --bridge ${bridge}` : 'ip -brief link show type bridge' },
    );
  }
  if (link === undefined || link.alias === aliasOf(network, facts)) return { network, facts, bridge };
  const uplink = network.bridge?.uplink;
  throw new QrunError('in-use', `${at}: there is an interface ${bridge} already, and it is not this network's`, {
    hint:
      link.kind !== 'bridge'
        ? 'write another bridge.name in its definition'
        : uplink === undefined
          ? `bridge: { name: ${bridge} } uses it as it is`
          : `bridge: { name: ${bridge} } uses it as it is, after: sudo qrun setup --bridge ${bridge} --uplink ${uplink}`,
  });
}

const aliasOf = ({ name }: Network, { state }: PortFacts): string =>
  linkAliasOf({ state, vm: `net/${name}`, nic: 'bridge', role: 'bridge' });

/** A card that the host itself uses stays the host's: its addresses must move to the bridge, for good, which is what setup does. */
function requireUplink(name: IfName, { network, facts: { uplink }, bridge }: Look): void {
  const at = `network ${network.name}: bridge.uplink`;
  const failed = (message: string, hint: string): QrunError =>
    new QrunError('host-failed', `${at}: ${message}`, { hint });
  if (uplink === undefined) throw failed(`there is no interface ${name}`, 'ip -brief link show');
  const { link, addresses, routes } = uplink;
  if (link.kind === 'bridge') throw failed(`${name} is a bridge itself`, `bridge: { name: ${name} }, without uplink`);
  if (link.kind === 'wifi' || link.kind === 'loopback' || link.kind === 'tun') {
    throw failed(`${name} can be no port of a bridge`, 'name a card with a cable');
  }
  if (link.master !== undefined && link.master !== bridge) {
    throw new QrunError('in-use', `${at}: ${name} is a port of ${link.master}`, {
      hint: `bridge: { name: ${link.master} }, without uplink`,
    });
  }
  const used = [...addresses, ...routes];
  if (used.length === 0) return;
  throw new QrunError('in-use', `${at}: this host itself uses ${name}, for ${used.slice(0, 3).join(', ')}`, {
    hint: `sudo qrun setup --bridge br0 --uplink ${name}, and then bridge: { name: br0 }`,
  });
}

function linksOf({ network, facts: { state, underlay }, bridge, theirs }: Look): ReturnType<typeof planLinks> {
  if (network.links.length === 0) return [];
  if (underlay === undefined) throw new QrunError('bug', `nobody looked at the other hosts of ${network.name}`);
  const { uplink } = network.bridge ?? {};
  const within = [bridge, ...(theirs === undefined ? [] : [theirs.name]), ...(uplink === undefined ? [] : [uplink])];
  return planLinks({ network, state, underlay, within });
}

interface Limit {
  readonly mtu: number;
  readonly of: string;
}

const standardMtu = 1500;

/** What is larger than that would be lost on the way, without a word. */
function mtuOf({ network, facts: { uplink }, bridge, theirs }: Look, links: ReturnType<typeof planLinks>): number {
  const limits: Limit[] = [
    ...(theirs === undefined ? [] : [{ mtu: theirs.mtu, of: bridge }]),
    ...(uplink === undefined ? [] : [{ mtu: uplink.link.mtu, of: uplink.link.name }]),
    ...(network.transport === 'vde' ? [{ mtu: longestMtu, of: 'a VDE switch' }] : []),
    ...links.map(({ mtu, peers }) => ({ mtu, of: `the way to ${peers[0] ?? ''} by VXLAN` })),
  ];
  const [least] = limits.toSorted((a, b) => a.mtu - b.mtu);
  if (least === undefined) return network.mtu ?? standardMtu;
  if (network.mtu === undefined || network.mtu <= least.mtu) return network.mtu ?? least.mtu;
  throw new QrunError(
    'host-failed',
    `network ${network.name}: mtu: ${network.mtu} is more than ${least.of} takes, which is ${least.mtu}`,
    { hint: `leave mtu out of ${network.file}, and it is ${least.mtu}` },
  );
}

function hostOf({ network, facts, bridge }: Look, { mtu, runId }: { mtu: number; runId: string }): HostNetwork {
  const host: HostNetwork = {
    name: network.name,
    runId,
    forward: 'bridge',
    on: bridge,
    mtu,
    ...(facts.user !== undefined && { user: facts.user }),
    ...(facts.group !== undefined && { group: facts.group }),
    ports: facts.macs.map((mac, number) => portOf(number, { network, facts, mac, forward: 'bridge' })),
    definition: network,
  };
  return onSwitch(host, facts);
}

/** Nothing is done to its frames: no rules, no DHCP. With `addresses` the host is on it as well. */
function bridgeStep({ network, facts, bridge: name }: Look, mtu: number): LinkStep {
  const alias = aliasOf(network, facts);
  const commands = bridgeCommands({
    name,
    alias,
    mac: bridgeMacOf(network),
    mtu,
    addresses: network.addresses.filter((one) => facts.ipv6 || !one.includes(':')),
    stp: network.bridge?.stp ?? false,
    forwardDelayS: network.bridge?.forwardDelay ?? 0,
  });
  return { kind: 'link', id: 'bridge', needsRoot: true, name, alias, commands };
}

function notesOf({ network: { name, mtu: written, links }, bridge, theirs }: Look, mtu: number): string[] {
  const at = `network ${name}`;
  if (theirs === undefined) return [];
  const lower = (links.length > 0 || written !== undefined) && mtu < theirs.mtu;
  return [
    ...(theirs.up ? [] : [`${at}: ${bridge} is down: nothing passes until: sudo ip link set ${bridge} up`]),
    ...(lower
      ? [
          `${at}: ${bridge} has an MTU of ${theirs.mtu}, and of what is larger than ${mtu} nothing gets to all of its ports`,
        ]
      : []),
  ];
}
