/** What macvtaps and virtual functions have in common as networks: the card, and whoever is told of it. Pure. */
import { QrunError } from '../../errors.ts';
import type { HostLink } from '../../host/host-link.ts';
import type { IfName } from '../../names.ts';
import type { Step } from '../../plan/step.ts';
import type { HostNetwork, HostPort } from '../host-network.ts';
import { registryStep, watchSteps } from '../host-steps.ts';
import type { NetworkPlan } from '../network-plan.ts';
import type { Network } from '../network.ts';
import type { NetworkPlanInput, PortFacts } from '../plan-input.ts';
import { macvtapModeOf } from '../transport/tap.ts';
import type { PoolMode } from './mode.ts';

export interface Pool {
  readonly network: Network;
  readonly input: NetworkPlanInput;
  readonly facts: PortFacts;
  readonly card: HostLink;
}

/** What is wrong with a card, and what helps. */
export interface CardFault {
  readonly why: string;
  readonly hint: string;
}

/** @throws QrunError `host-failed`, `permission` */
export function poolOf(
  network: Network,
  input: NetworkPlanInput,
  { faultOf, what }: { readonly faultOf: (card: HostLink) => CardFault | undefined; readonly what: string },
): Pool {
  const at = `network ${network.name}`;
  const facts = input.facts.ports;
  if (facts === undefined) throw new QrunError('bug', `nobody looked at the card of ${network.name}`);
  if (!facts.rights) {
    throw new QrunError('permission', `${at}: to ${what} takes CAP_NET_ADMIN, and root has not got it here`, {
      hint: 'docker run --cap-add NET_ADMIN --device /dev/net/tun …',
    });
  }
  const { link: card } = facts;
  const fault = card === undefined ? noCard(network.bridge?.uplink ?? '') : faultOf(card);
  if (card !== undefined && fault === undefined) return { network, input, facts, card };
  throw new QrunError('host-failed', `${at}: ${fault?.why ?? ''}`, { hint: fault?.hint ?? 'ip -brief link show' });
}

const noCard = (name: string): CardFault => ({
  why: `there is no network card ${name}`,
  hint: 'ip -brief link show',
});

export function hostOf({ network, input, facts, card }: Pool, ports: readonly HostPort[]): HostNetwork {
  return {
    name: network.name,
    runId: input.mark,
    forward: network.forward as PoolMode,
    on: card.name as IfName,
    mtu: card.mtu,
    ...(facts.user !== undefined && { user: facts.user }),
    ...(facts.group !== undefined && { group: facts.group }),
    ports,
    definition: network,
  };
}

/** How root's VMs get onto it. */
export function attachOfPool(network: Network, { name, mtu }: Pick<HostLink, 'name' | 'mtu'>): NetworkPlan['attach'] {
  const { forward, hostAccess, vlan } = network;
  const common = { card: name as IfName, mtu };
  if (forward === 'macvtap') return { by: 'macvtap', ...common, mode: macvtapModeOf(network), hostAccess };
  return { by: 'hostdev', ...common, ...(vlan !== undefined && { vlan }) };
}

export interface PoolParts {
  readonly host: HostNetwork;
  /** What is made of the card before anybody joins. */
  readonly steps?: readonly Step[];
  readonly notes?: readonly string[];
}

/** The network itself is little more than a name that VMs are counted under: each makes what it needs, and takes it away. */
export function planOfPool({ network, input, facts, card }: Pool, parts: PoolParts): NetworkPlan {
  const { name, file, forward } = network;
  const { host, steps = [], notes = [] } = parts;
  return {
    v: 1,
    network: name,
    file,
    scope: 'system',
    transport: 'tap',
    forward,
    attach: attachOfPool(network, card),
    forwards: [],
    steps: [...steps, ...watchSteps(network, input, host), registryStep(host, { facts, input })],
    notes: notes.map((note) => `network ${name}: ${note}`),
  };
}

/** Of an ordinary user, while it is not up. */
export const noPorts = ({ name, file }: Pick<Network, 'name' | 'file'>): QrunError =>
  new QrunError('permission', `network ${name} has no ports for ordinary users`, {
    hint: `ports: 4 and owner or group in ${file}; then: sudo qrun net up ${name}`,
  });
