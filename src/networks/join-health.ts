/** Whether what joins a network with the world outside is as it was made: its bridge, its card, its links to other hosts. Read only. */
import { QrunError } from '../errors.ts';
import { readHostLink } from '../host/host-link.ts';
import { isLinkStep } from '../network/joined/links.ts';
import type { NetworkPlan } from '../network/network-plan.ts';
import type { LinkStep, UplinkStep } from '../plan/step.ts';

/** Its bridge is gone, and is not qrun's to make. */
export function lostBridge({ attach, steps }: NetworkPlan): string | undefined {
  if (attach.by !== 'bridge' || steps.some((step) => step.kind === 'link' && step.name === attach.bridge))
    return undefined;
  return readHostLink(attach.bridge)?.kind === 'bridge' ? undefined : attach.bridge;
}

/** The card that a network is made of is gone. */
function lostCard({ attach }: NetworkPlan): string | undefined {
  if (attach.by !== 'macvtap' && attach.by !== 'hostdev') return undefined;
  return readHostLink(attach.card) === undefined ? attach.card : undefined;
}

/** @throws QrunError `host-failed`: nothing of it can be mended without */
export function requireCard(network: string, plan: NetworkPlan): void {
  const lost = lostCard(plan);
  if (lost !== undefined) throw cardIsGone(network, lost);
}

/** Guests of a bridge still hear each other without: all else is mended first. @throws QrunError `host-failed` */
export function requireUplinks(network: string, plan: NetworkPlan): void {
  const lost = uplinksOf(plan).find(({ name }) => readHostLink(name) === undefined);
  if (lost !== undefined) throw cardIsGone(network, lost.name);
}

const cardIsGone = (network: string, card: string): QrunError =>
  new QrunError('host-failed', `network ${network}: its card ${card} is gone`, {
    hint: `ip -brief link show; when it is there again: sudo qrun net up ${network}`,
  });

/** Links to other hosts that are there, and down or off the bridge: they are made anew. */
export function brokenLinks({ attach, steps }: NetworkPlan): LinkStep[] {
  if (attach.by !== 'bridge') return [];
  return steps
    .filter((step) => step.kind === 'link')
    .filter(isLinkStep)
    .filter(({ name }) => {
      const link = readHostLink(name);
      return link !== undefined && (!link.up || link.master !== attach.bridge);
    });
}

export const uplinksOf = ({ steps }: NetworkPlan): UplinkStep[] => steps.filter((step) => step.kind === 'uplink');

const isOff = ({ name, bridge }: UplinkStep): boolean => readHostLink(name)?.master !== bridge;

/** Names of all that is not in its place, besides what is gone. */
export function brokenJoins(plan: NetworkPlan): string[] {
  return [
    ...[lostBridge(plan), lostCard(plan)].filter((name) => name !== undefined),
    ...brokenLinks(plan).map(({ name }) => name),
    ...uplinksOf(plan)
      .filter(isOff)
      .map(({ name }) => name),
  ];
}
