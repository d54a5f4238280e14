/** `Network + what was read → NetworkPlan`: every decision about a network, pure. */
import { QrunError } from '../errors.ts';
import { longestSocket } from '../plan/network-files.ts';
import { requireSocketPath } from '../plan/socket-path.ts';
import { parseSubnet, subnetsOverlap } from '../subnet.ts';
import { layoutOf, type NetworkLayout } from './layout.ts';
import type { NetworkPlan } from './network-plan.ts';
import type { Network } from './network.ts';
import type { NetworkPlanInput } from './plan-input.ts';
import { scopeOf, transportOf } from './scope.ts';
import { isBridged } from './bridged/mode.ts';
import { planBridged } from './bridged/plan.ts';
import { isTheirs } from './joined/mode.ts';
import { planJoined } from './joined/plan.ts';
import { noPorts } from './pools/card.ts';
import { forRootAlone, planFunctions } from './pools/hostdev.ts';
import { planMacvtaps } from './pools/macvtap.ts';
import { builtTransports, transportKindOf } from './transport/registry.ts';

/** @throws QrunError `not-implemented`, `missing-tool`, `missing-feature`, `host-failed`, `in-use` (a network of the host's is in the way) */
export function planNetwork(network: Network, input: NetworkPlanInput): NetworkPlan {
  const scope = scopeOf(network, input.uid);
  const transport = transportOf(network, input.uid);
  const kind = transportKindOf(transport);
  if (scope === 'system') return planSystem(network, input);
  if (input.uid === 0) throw ofRoot(network);
  if (kind === undefined) {
    throw new QrunError(
      'not-implemented',
      `network ${network.name}: transport ${transport} in scope user is not implemented yet`,
      {
        hint: `write transport: ${builtTransports[0]} in ${network.file}; what works: ${builtTransports.join(', ')}`,
      },
    );
  }
  requireSocketPath(longestSocket(input.files.runtimeDir));
  const layout = layoutOf(network);
  const notes = overlapNotes(network, layout, input);
  const plan = kind.plan({ network, layout, input });
  return {
    v: 1,
    network: network.name,
    file: network.file,
    scope,
    transport,
    forward: network.forward,
    ...plan,
    notes: [...notes, ...plan.notes],
  };
}

/** Made by root. Others are told of it in the host-wide registry when it is up; where it is not, the bridge may be open to them by the helper. */
function planSystem(network: Network, input: NetworkPlanInput): NetworkPlan {
  const { name, file, forward, bridge } = network;
  if (isBridged(forward)) {
    if (input.uid === 0) return planBridged(network, input);
    throw new QrunError('permission', `network ${name} is not up, and root takes it up`, {
      hint: `sudo qrun net up ${name}`,
    });
  }
  if (input.uid === 0) return plannedByRoot(network, input);
  if (forward === 'hostdev') throw forRootAlone(network);
  // a tap that the helper makes is kept from no other
  if (forward === 'bridge' && bridge?.name !== undefined && isTheirs(bridge) && !network.isolatedPorts) {
    const attach = { by: 'helper', bridge: bridge.name } as const;
    const ways = { scope: 'system', transport: 'tap', forward } as const;
    return { v: 1, network: name, file, ...ways, attach, forwards: [], steps: [], notes: [] };
  }
  if (forward === 'macvtap' && network.ports === undefined) throw noPorts(network);
  throw new QrunError(
    'permission',
    `network ${name} is not up, and ${network.ports === undefined ? 'root takes it up' : 'its ports are made by root'}`,
    {
      hint: `sudo qrun net up ${name}`,
    },
  );
}

function plannedByRoot(network: Network, input: NetworkPlanInput): NetworkPlan {
  switch (network.forward) {
    case 'macvtap':
      return planMacvtaps(network, input);
    case 'hostdev':
      return planFunctions(network, input);
    default:
      return planJoined(network, input);
  }
}

/** Its switch and its gateway would run as root, and read what guests send; and QEMUs of other users do not get into its directory. */
function ofRoot({ name }: Network): QrunError {
  return new QrunError(
    'not-implemented',
    `network ${name}: a network of scope user is an ordinary user's, and not root's`,
    {
      hint: 'run it as an ordinary user',
    },
  );
}

/**
 * Guests that get out reach through the gateway what the host reaches, but not what has addresses like their own. A network of the host's that would be
 * hidden as a whole is refused; a part of a larger one is said, and so is the host's own network of the same name, whose addresses follow from it too.
 */
function overlapNotes(
  { name, forward }: Network,
  { subnet, derived }: NetworkLayout,
  { facts }: NetworkPlanInput,
): string[] {
  if (forward !== 'nat') return [];
  const met = (facts.routes ?? []).flatMap((route) => {
    const other = parseSubnet(route.cidr, 4);
    return other !== undefined && subnetsOverlap(other, subnet) ? [{ ...route, prefix: other.prefix }] : [];
  });
  const isTwin = ({ cidr }: (typeof met)[number]): boolean => derived && cidr === subnet.cidr;
  const hidden = met.find((one) => one.prefix >= subnet.prefix && !isTwin(one));
  if (hidden !== undefined) {
    const why = derived ? 'follows from its name, and' : 'is written, and';
    throw new QrunError(
      'in-use',
      `network ${name}: ${subnet.cidr} ${why} overlaps with ${hidden.cidr}, which this host reaches through ${hidden.interface}`,
      {
        hint: `qrun net edit ${name}   # and write others, such as addresses: [10.200.77.1/24]`,
      },
    );
  }
  return met.map((one) => {
    const { cidr, interface: link } = one;
    if (isTwin(one))
      return `network ${name}: ${cidr} follows from its name, and ${link} of this host has it too: guests do not reach who is there`;
    return `network ${name}: guests do not reach that part of ${cidr} (${link}) which is ${subnet.cidr}`;
  });
}
