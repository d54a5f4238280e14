/** `forward: macvtap`: each guest has an address of its own on the LAN of one of the host's cards. Root's VMs make their macvtap, others take a port. Pure. */
import type { HostLink } from '../../host/host-link.ts';
import { planHostAccess } from '../../plan/host-access.ts';
import type { NetworkPlan } from '../network-plan.ts';
import type { Network } from '../network.ts';
import type { NetworkPlanInput } from '../plan-input.ts';
import { portOf, portSteps } from '../transport/tap.ts';
import { hostOf, planOfPool, poolOf, type CardFault, type Pool } from './card.ts';

/** @throws QrunError `permission`, `host-failed` (the card) */
export function planMacvtaps(network: Network, input: NetworkPlanInput): NetworkPlan {
  const pool = poolOf(network, input, { faultOf, what: 'make macvtaps' });
  const { facts } = pool;
  const ports = facts.macs.map((mac, number) => portOf(number, { network, facts, mac, forward: 'macvtap' }));
  const host = hostOf(pool, ports);
  const way = wayOf(
    pool,
    ports.map(({ device }) => device),
  );
  return planOfPool(pool, {
    host,
    steps: [...ports.flatMap((port) => portSteps(port, { host, facts })), ...way.steps],
    notes: way.notes,
  });
}

/** After all ports, so that it is given back before them. Root's VMs have it as long as they run. */
function wayOf({ network, facts, card }: Pool, links: readonly string[]): ReturnType<typeof planHostAccess> {
  const { name, hostAccess: wanted } = network;
  const { way: fact, ipv6 } = facts;
  if (wanted === false || fact === undefined || links.length === 0) return { steps: [], notes: [] };
  return planHostAccess({
    at: `network ${name}: hostAccess`,
    id: 'host-access',
    ...{ parent: card, wanted, fact, ipv6, links },
  });
}

function faultOf({ name, kind, master, up }: HostLink): CardFault | undefined {
  if (kind === 'wifi' || kind === 'loopback') {
    return {
      why: `no macvtap can stand on ${name}, which is ${kind === 'wifi' ? 'Wi-Fi' : 'the loopback'}`,
      hint: 'name a card with a cable',
    };
  }
  if (master !== undefined) {
    return {
      why: `${name} is a port of ${master}, which takes all of its frames`,
      hint: `forward: bridge with bridge: { name: ${master} }`,
    };
  }
  return up ? undefined : { why: `${name} is down`, hint: `sudo ip link set dev ${name} up` };
}
