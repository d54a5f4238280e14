/** Values of a network's definition that are addresses, ranges and times, as they are written. Apart from their fields: who only reads a text needs no schema. */
import { isIpLiteral, type Parsed } from '../profile/address.ts';
import { truncated } from '../profile/words.ts';
import { canonicalAddress, parseAddress, parseInterfaceAddress, type Address } from '../subnet.ts';

export interface AddressRange {
  readonly from: string;
  readonly to: string;
}

export function parseLiteral(written: string): Parsed<string> {
  if (isIpLiteral(written)) return { value: canonicalAddress(written) ?? written };
  return { fault: `${truncated(written)} is no IP address` };
}

/** An address that a host can have, with the network that it is in. */
export function parseCidr(written: string): Parsed<string> {
  const parsed = parseInterfaceAddress(written);
  if (parsed === undefined) {
    const hint = isIpLiteral(written)
      ? `: write its prefix too, such as ${written}/${written.includes(':') ? 64 : 24}`
      : '';
    return { fault: `${truncated(written)} is no address with a prefix, such as 10.10.120.1/24${hint}` };
  }
  const { address, subnet } = parsed;
  const own = canonicalAddress(written.slice(0, written.indexOf('/'))) ?? '';
  const kind = kindOfAddress(address);
  if (subnet.prefix === 0) return { fault: `${written} is every address there is, and no network` };
  if (kind !== undefined) return { fault: `${own} is ${kind}, and no host has it` };
  const [least, most] = subnet.family === 4 ? [8, 30] : [16, 126];
  if (subnet.prefix < least || subnet.prefix > most) {
    return { fault: `${written}: a network for guests has a prefix of ${least} to ${most}` };
  }
  if (address.value === subnet.first) {
    return {
      fault: `${own} is the network itself: write the address that the gateway is to have in it, such as ${subnet.at(1)}/${subnet.prefix}`,
    };
  }
  if (subnet.family === 4 && address.value === subnet.last) {
    return { fault: `${own} is the broadcast address of ${subnet.cidr}, and no host has it` };
  }
  return { value: `${own}/${subnet.prefix}` };
}

/** What keeps an address from being a host's on a network of one's own; undefined: nothing does. */
function kindOfAddress({ family, value }: Address): string | undefined {
  if (family === 4) {
    const first = value >> 24n;
    if (first === 0n) return 'in "this network" (0.0.0.0/8)';
    if (first === 127n) return 'a loopback address';
    return first >= 224n ? 'a multicast or reserved address' : undefined;
  }
  if (value >> 32n === 0xffffn) return 'an IPv4 address in the form of IPv6';
  if (value >> 96n === 0n) return 'a loopback or unspecified address';
  if (value >> 118n === 0x3fan) return 'a link-local address, which every interface has by itself';
  return value >> 120n === 0xffn ? 'a multicast address' : undefined;
}

export function parseRange(written: string): Parsed<AddressRange> {
  const [, from = '', to = ''] = /^([^-\s]+) ?- ?([^-\s]+)$/.exec(written) ?? [];
  const [first, last] = [parseAddress(from), parseAddress(to)];
  if (first === undefined || last === undefined) {
    return { fault: `${truncated(written)} is no range of addresses, such as 10.10.120.50-10.10.120.200` };
  }
  if (first.family !== last.family) return { fault: `${written}: one end is IPv4 and the other is IPv6` };
  if (first.value > last.value) return { fault: `${written} runs backwards: the first address is the higher one` };
  return { value: { from: canonicalAddress(from) ?? from, to: canonicalAddress(to) ?? to } };
}

/** As DHCP has it: for ever. */
const infiniteLeaseS = 2 ** 32 - 1;
const shortestLeaseS = 60;
const seconds = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;

/** A number of seconds, or with s, m, h, d, w; or `infinite`. */
export function parseLease(written: string | number): Parsed<number> {
  if (written === 'infinite') return { value: infiniteLeaseS };
  const match = /^([1-9][0-9]{0,9})([smhdw]?)$/.exec(String(written));
  if (match === null) {
    return {
      fault: `${typeof written === 'number' ? written : truncated(written)} is no time: a number of seconds, 30m, 12h, 7d, or infinite`,
    };
  }
  const length = Number(match[1]) * seconds[(match[2] || 's') as keyof typeof seconds];
  if (length < shortestLeaseS)
    return { fault: `${written} is too short for a lease: at least ${shortestLeaseS} seconds` };
  if (length >= infiniteLeaseS) return { fault: `${written} is too long for a lease: write infinite` };
  return { value: length };
}
