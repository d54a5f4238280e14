/** What the host's way to the macvtaps of a card is called: one for each card, whoever has need of it. */
import { digestOf } from './digest.ts';
import type { IfName, Mac } from './names.ts';

/** Of the one that runs make and end. */
export const hostWayNameOf = (parent: string): IfName => `qr-way${digestOf(parent).slice(0, 9)}` as IfName;

/** Of the one that setup makes for good: like its bridges no `qr-…`, for whoever makes the host's interfaces makes it at the next start. */
export function lastingWayNameOf(parent: string): IfName {
  const plain = `qrh-${parent}`;
  const fits = plain.length <= 15 && /^[a-z0-9.-]+$/.test(plain);
  return (fits ? plain : `qrh-${digestOf(parent).slice(0, 11)}`) as IfName;
}

/** Not the card's own MAC, but as lasting as that: those who know the host by it need not learn a new one each time. */
export function hostWayMacOf(parent: string, parentMac: string): Mac {
  const digits = digestOf(`${parent}\0${parentMac}`).slice(0, 10);
  return ['02', ...(digits.match(/../g) ?? [])].join(':') as Mac;
}

export const hostWayAliasOf = (parent: string): string => `qrun-host:${parent}`;

/**
 * The group of interfaces (`ip link show group …`) of macvtaps that the host is to reach: as long as there is one on a card, the host's way stays. A
 * number that nobody chose by hand: `qr` and the digits of `host` on a telephone.
 */
export const reachedGroup = 0x7172_4678;
