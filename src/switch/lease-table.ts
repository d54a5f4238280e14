/**
 * Who has which address until when. One address for a MAC, one MAC for an address, always; never more than `maxLeases` of them. A lease that has run
 * out stays, so that its guest gets the same address again, until another one needs the address: then the oldest goes first.
 */
import type { AddressPlan } from './address-plan.ts';

export interface Lease {
  readonly mac: number;
  readonly ip: number;
  readonly hostName?: string;
  /** Seconds since the epoch. */
  readonly expiresS: number;
  /** The guest has not taken it yet: it is kept for it for a moment, and written nowhere. */
  readonly isOffer: boolean;
}

export const maxLeases = 4096;
/** How long an address is left alone that a guest has found in use. */
const declinedForS = 600;

export class LeaseTable {
  readonly #byMac = new Map<number, Lease>();
  readonly #byIp = new Map<number, Lease>();
  /** Until when. Only addresses that were leased come in, so it is bounded as those are. */
  readonly #declined = new Map<number, number>();

  get all(): readonly Lease[] {
    return [...this.#byMac.values()];
  }

  ofMac(mac: number): Lease | undefined {
    return this.#byMac.get(mac);
  }

  /** Whose this address is now, if it is somebody's. */
  holder(ip: number, nowS: number): number | undefined {
    const lease = this.#byIp.get(ip);
    return lease !== undefined && lease.expiresS > nowS ? lease.mac : undefined;
  }

  /**
   * Takes the address from whoever had it; a MAC that is known keeps its place in the order. Gives false if there is no room for one more.
   */
  set(lease: Lease, nowS: number): boolean {
    const before = this.#byMac.get(lease.mac);
    if (before === undefined && this.#byMac.size >= maxLeases) {
      const oldest = this.#oldestExpired(nowS);
      if (oldest === undefined) return false;
      this.#remove(oldest);
    }
    const holder = this.#byIp.get(lease.ip);
    if (holder?.mac !== lease.mac) this.#remove(holder);
    if (before !== undefined) this.#byIp.delete(before.ip);
    this.#byMac.set(lease.mac, lease);
    this.#byIp.set(lease.ip, lease);
    return true;
  }

  /** The guest does not need it any more; nobody else gets it before all others are used up. */
  expire(lease: Lease, nowS: number): void {
    const expired = { ...lease, expiresS: Math.min(lease.expiresS, nowS), isOffer: false };
    this.#byMac.set(lease.mac, expired);
    this.#byIp.set(lease.ip, expired);
  }

  decline(lease: Lease, nowS: number): void {
    this.#remove(lease);
    for (const [ip, untilS] of this.#declined) if (untilS <= nowS) this.#declined.delete(ip);
    if (this.#declined.size < maxLeases) this.#declined.set(lease.ip, nowS + declinedForS);
  }

  /** What the plan does not allow (any more) is taken away. */
  keepOnly(plan: AddressPlan): readonly Lease[] {
    const gone = this.all.filter(({ mac, ip }) => !plan.allows(mac, ip));
    for (const lease of gone) this.#remove(lease);
    return gone;
  }

  isDeclined(ip: number, nowS: number): boolean {
    return (this.#declined.get(ip) ?? 0) > nowS;
  }

  /** Whether this MAC can have this address now. */
  isFor(mac: number, ip: number, nowS: number): boolean {
    const holder = this.holder(ip, nowS);
    return (holder === undefined || holder === mac) && !this.isDeclined(ip, nowS);
  }

  /**
   * An address of the ranges for a MAC that has none: the same for the same MAC as long as others leave it alone, even if nobody remembers it. First
   * those that nobody ever had, then what ran out the longest time ago. Undefined: there is none.
   */
  choose(mac: number, plan: AddressPlan, nowS: number): number | undefined {
    const start = plan.size > 0 ? scatter(mac) % plan.size : 0;
    const tries = Math.min(plan.size, plan.takenSize + this.#byIp.size + this.#declined.size + 1);
    for (let step = 0; step < tries; step++) {
      const ip = plan.at((start + step) % plan.size);
      if (ip !== undefined && !this.#byIp.has(ip) && !this.isDeclined(ip, nowS)) return ip;
    }
    return this.#oldestExpired(nowS, (lease) => plan.allows(mac, lease.ip))?.ip;
  }

  #oldestExpired(nowS: number, suits: (lease: Lease) => boolean = () => true): Lease | undefined {
    let oldest: Lease | undefined;
    for (const lease of this.#byMac.values())
      if (lease.expiresS <= nowS && suits(lease) && (oldest === undefined || lease.expiresS < oldest.expiresS))
        oldest = lease;
    return oldest;
  }

  #remove(lease: Lease | undefined): void {
    if (lease === undefined) return;
    if (this.#byMac.get(lease.mac) === lease) this.#byMac.delete(lease.mac);
    if (this.#byIp.get(lease.ip) === lease) this.#byIp.delete(lease.ip);
  }
}

/** The same number for the same MAC, and others for its neighbours. */
function scatter(mac: number): number {
  let hash = 0x811c_9dc5;
  for (let rest = mac, byte = 0; byte < 6; byte++, rest = Math.floor(rest / 256))
    hash = Math.imul(hash ^ (rest % 256), 0x0100_0193) >>> 0;
  return hash;
}
