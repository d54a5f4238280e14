/** `forward: hostdev`: each of root's VMs that joins gets a free virtual function of an SR-IOV card for itself. Pure. */
import { requireIommu, requireVfs } from '../../plan/virtual-functions.ts';
import type { HostLink } from '../../host/host-link.ts';
import { QrunError } from '../../errors.ts';
import type { NetworkPlan } from '../network-plan.ts';
import type { Network } from '../network.ts';
import type { NetworkPlanInput } from '../plan-input.ts';
import { hostOf, planOfPool, poolOf } from './card.ts';

/** @throws QrunError `permission`, `host-failed` (no such card, no virtual function made), `missing-feature` (no SR-IOV, no IOMMU) */
export function planFunctions(network: Network, input: NetworkPlanInput): NetworkPlan {
  const pool = poolOf(network, input, { faultOf: () => undefined, what: 'give virtual functions to guests' });
  const { facts, card } = pool;
  if (facts.pci === undefined) throw new QrunError('bug', `nobody looked at the functions of ${card.name}`);
  const at = `network ${network.name}`;
  requireIommu(at, facts.pci);
  requireVfs(at, card.name, facts.pci);
  return planOfPool(pool, { host: hostOf(pool, []), notes: notesOf(card) });
}

const notesOf = ({ name, up }: HostLink): string[] =>
  up ? [] : [`${name} is down: nothing passes until: sudo ip link set ${name} up`];

/** Of an ordinary user, who may not: whether it is up or not. */
export function forRootAlone({ name, bridge }: Pick<Network, 'name' | 'bridge'>): QrunError {
  return new QrunError(
    'permission',
    `network ${name} hands out virtual functions of ${bridge?.uplink ?? 'a card'} to root's VMs alone: to give a card to a guest (vfio) takes root`,
    { hint: 'run the VM as root, by sudo; or for ordinary users: forward: macvtap, with ports and owner' },
  );
}
