/**
 * Addresses and networks as numbers, IPv4 and IPv6: the one place where they are counted with. Nothing is looked up. (A package does this too, and takes
 * 4 ms to load at each start of a VM; the tests hold the two equal.)
 */
import { isIPv4, isIPv6 } from 'node:net';

export type AddressFamily = 4 | 6;

export interface Address {
  readonly family: AddressFamily;
  readonly value: bigint;
}

export interface Subnet {
  readonly family: AddressFamily;
  /** `10.0.2.0/24`, from the network's own address on. */
  readonly cidr: string;
  readonly prefix: number;
  /** The network's own address and, for IPv4, the broadcast address. */
  readonly first: bigint;
  readonly last: bigint;
  readonly contains: (address: string) => boolean;
  /** The address that lies `offset` above the network's own. */
  readonly at: (offset: number | bigint) => string;
}

const bitsOf = (family: AddressFamily): number => (family === 4 ? 32 : 128);

/** Undefined for anything but four decimal octets without leading zeroes, or an IPv6 address without a zone. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: ipv4Value(text) };
  return isIPv6(text) && !text.includes('%') ? { family: 6, value: ipv6Value(text) } : undefined;
}

const ipv4Value = (text: string): bigint => text.split('.').reduce((value, octet) => (value << 8n) + BigInt(octet), 0n);

function ipv6Value(text: string): bigint {
  const [before = [], after = []] = text.split('::').map(groupsOf);
  const groups = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0n), ...after];
  return groups.reduce((value, group) => (value << 16n) + group, 0n);
}

function groupsOf(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const value = ipv4Value(group);
    return [value >> 16n, value & 0xffffn];
  });
}

/** The one way to write it (RFC 5952 for IPv6). */
export function renderAddress({ family, value }: Address): string {
  return family === 4 ? renderIpv4(value) : renderIpv6(value);
}

function renderIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((bits) => (value >> bits) & 0xffn).join('.');
}

function renderIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  const { start, length } = longestZeroes(groups);
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeroes(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: index - length + 1, length };
  }
  return best;
}

/** The same address in its one spelling; undefined for what is no address. */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : renderAddress(address);
}

/** Undefined for anything but `ADDRESS/PREFIX`, of this family if one is given. The address may be any of the network. */
export function parseSubnet(text: string, family?: AddressFamily): Subnet | undefined {
  const { address, prefix } = splitCidr(text) ?? {};
  if (address === undefined || prefix === undefined || (family ?? address.family) !== address.family) return undefined;
  return subnetOf(address, prefix);
}

/** `10.0.2.7/24`: an address together with the network that it is in. */
export function parseInterfaceAddress(
  text: string,
): { readonly address: Address; readonly subnet: Subnet } | undefined {
  const split = splitCidr(text);
  return split === undefined ? undefined : { address: split.address, subnet: subnetOf(split.address, split.prefix) };
}

function splitCidr(text: string): { readonly address: Address; readonly prefix: number } | undefined {
  const [, written = '', digits = ''] = /^([^/]*)\/(0|[1-9][0-9]{0,2})$/.exec(text) ?? [];
  const address = parseAddress(written);
  const prefix = Number(digits);
  return address === undefined || prefix > bitsOf(address.family) ? undefined : { address, prefix };
}

function subnetOf({ family, value }: Address, prefix: number): Subnet {
  const size = 1n << BigInt(bitsOf(family) - prefix);
  const first = value - (value % size);
  const last = first + size - 1n;
  return {
    family,
    cidr: `${renderAddress({ family, value: first })}/${prefix}`,
    prefix,
    first,
    last,
    contains: (text) => {
      const other = parseAddress(text);
      return other !== undefined && other.family === family && other.value >= first && other.value <= last;
    },
    at: (offset) => renderAddress({ family, value: first + BigInt(offset) }),
  };
}

export function subnetsOverlap(a: Subnet, b: Subnet): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}
