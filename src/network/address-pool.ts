/** The addresses that a network has for its VMs. Pure. */
import type { Network } from './network.ts';
import { parseAddress, renderAddress } from '../subnet.ts';

export interface AddressPool {
  /** How many there are to give. */
  readonly size: number;
  /** How many of them are nobody's fixed one. */
  readonly free: number;
  /** What the definition gives to that holder (a VM by its name), in IPv4. */
  readonly fixed: (holder: string) => string | undefined;
  /** One of those that are given by turns: in a range, and nobody's fixed one. */
  readonly isDynamic: (ip: string) => boolean;
  /** Undefined: none is left. */
  readonly firstFree: (taken: ReadonlySet<string>) => string | undefined;
}

export interface PoolOptions {
  /** Both ends included; none where there is no DHCP. */
  readonly ranges: readonly { readonly from: string; readonly to: string }[];
  /** Never given to a VM: the gateway's, the name server's. */
  readonly kept: readonly string[];
}

export function addressPool({ dhcp }: Pick<Network, 'dhcp'>, { ranges, kept }: PoolOptions): AddressPool {
  const hosts = dhcp?.hosts ?? [];
  const never = new Set([...kept, ...hosts.map(({ ip }) => ip)]);
  const spans = ranges.flatMap(({ from, to }): [bigint, bigint][] => {
    const [first, last] = [ipv4Value(from), ipv4Value(to)];
    return first === undefined || last === undefined ? [] : [[first, last]];
  });
  const isInside = (value: bigint): boolean => spans.some(([first, last]) => value >= first && value <= last);
  const isDynamic = (ip: string): boolean => {
    const value = ipv4Value(ip);
    return value !== undefined && isInside(value) && !never.has(ip);
  };
  const size = Number(spans.reduce((sum, [first, last]) => sum + last - first + 1n, 0n));
  const isFixed = (ip: string): boolean => {
    const value = ipv4Value(ip);
    return value !== undefined && isInside(value);
  };
  return {
    size,
    free: size - [...never].filter(isFixed).length,
    // `alice/web1` is a user's VM there, and a second NIC of root's VM here
    fixed: (holder) =>
      hosts.find(({ vm, ip }) => vm === holder && !holder.includes('/') && ipv4Value(ip) !== undefined)?.ip,
    isDynamic,
    firstFree: (taken) => {
      for (const [first, last] of spans) {
        for (let value = first; value <= last; value += 1n) {
          const ip = renderAddress({ family: 4, value });
          if (isDynamic(ip) && !taken.has(ip)) return ip;
        }
      }
      return undefined;
    },
  };
}

function ipv4Value(text: string): bigint | undefined {
  const address = parseAddress(text);
  return address?.family === 4 ? address.value : undefined;
}
