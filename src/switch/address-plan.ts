/**
 * Which address may be whose: those that belong to a MAC for good, those that nobody gets, and the ranges that are left for everybody else. Pure; made
 * anew when the configuration or the members change.
 */
import { formatIpv4, formatMac, isHostOf, type AddressRange, type Subnet } from './address.ts';

export interface FixedAddress {
  readonly mac: number;
  readonly ip: number;
  readonly hostName?: string;
}

export interface AddressPlanOptions {
  readonly subnet: Subnet;
  readonly ranges: readonly AddressRange[];
  /** Nobody's: the gateway's, the name server's, those of VMs that do not run. */
  readonly reserved: readonly number[];
  /** The first that names a MAC or an address has it. */
  readonly fixed: readonly FixedAddress[];
}

export interface AddressPlan {
  readonly fixedOf: (mac: number) => FixedAddress | undefined;
  /** Whether this MAC may have this address: its own fixed one, or, if it has none, one of a range that is nobody's. */
  readonly allows: (mac: number, ip: number) => boolean;
  /** How many addresses the ranges have. */
  readonly size: number;
  /** The address at this place, counting from 0; undefined if it is somebody's. */
  readonly at: (index: number) => number | undefined;
  /** How many addresses of the ranges may be somebody's, at most. */
  readonly takenSize: number;
  readonly faults: readonly string[];
}

export function planAddresses({ subnet, ranges, reserved, fixed }: AddressPlanOptions): AddressPlan {
  const byMac = new Map<number, FixedAddress>();
  const taken = new Set(reserved);
  const owned = new Set<number>();
  const faults: string[] = [];
  for (const one of fixed) {
    const fault = faultOf(one);
    if (byMac.get(one.mac)?.ip === one.ip) continue; // said twice
    if (fault !== undefined) faults.push(fault);
    else {
      byMac.set(one.mac, one);
      owned.add(one.ip);
      taken.add(one.ip);
    }
  }
  function faultOf({ mac, ip }: FixedAddress): string | undefined {
    const what = `${formatIpv4(ip)} for ${formatMac(mac)}`;
    if (!isHostOf(subnet, ip)) return `${what} is not in the subnet`;
    if (owned.has(ip)) return `${what} is another one's`;
    return byMac.has(mac) ? `${what} is a second address` : undefined;
  }
  const size = ranges.reduce((sum, { from, to }) => sum + Math.max(0, to - from + 1), 0);
  const inRange = (ip: number): boolean =>
    ranges.some(({ from, to }) => ip >= from && ip <= to) && isHostOf(subnet, ip);
  const isFree = (ip: number): boolean => inRange(ip) && !taken.has(ip);
  return {
    fixedOf: (mac) => byMac.get(mac),
    allows: (mac, ip) => {
      const own = byMac.get(mac);
      return own === undefined ? isFree(ip) : own.ip === ip;
    },
    size,
    at: (index) => {
      const ip = addressAt(ranges, index);
      return ip !== undefined && isFree(ip) ? ip : undefined;
    },
    takenSize: taken.size + 2,
    faults,
  };
}

function addressAt(ranges: readonly AddressRange[], index: number): number | undefined {
  let left = index;
  for (const { from, to } of ranges) {
    if (left <= to - from) return from + left;
    left -= Math.max(0, to - from + 1);
  }
  return undefined;
}
