/**
 * Which addresses of a network are whose: the gateway's, the name server's, and those that guests get. Pure, and the same whenever it is asked for: so that
 * a forward to a VM is right before the network is up.
 */
import { digestOf } from '../digest.ts';
import { parseAddress, parseInterfaceAddress, parseSubnet, renderAddress, type Subnet } from '../subnet.ts';
import type { AddressRange } from './address-text.ts';
import type { Network } from './network.ts';

export interface NetworkLayout {
  readonly subnet: Subnet;
  readonly gateway: string;
  /** Who answers names; undefined when no address is left for it. */
  readonly dnsServer?: string;
  /** What is given to guests by turns: IPv4, both ends included, without the gateway and the name server. Empty: no DHCP. */
  readonly ranges: readonly AddressRange[];
  /** The network was not written, but follows from the name. */
  readonly derived: boolean;
}

export interface LayoutInput {
  readonly name: string;
  readonly addresses: Network['addresses'];
  readonly dhcp?: {
    readonly ranges: readonly AddressRange[];
    readonly hosts: readonly { readonly ip: string }[];
  };
  /** Hosts with addresses of their own: the name server keeps off them. */
  readonly dns?: { readonly hosts: readonly { readonly ip: string }[] };
  readonly forwards?: readonly { readonly guest: string }[];
}

export function layoutOf({ name, addresses, dhcp, dns, forwards = [] }: LayoutInput): NetworkLayout {
  const written = addresses.map(parseInterfaceAddress).find((one) => one?.subnet.family === 4);
  const subnet = written?.subnet ?? derivedSubnet(name);
  const gateway = written === undefined ? subnet.at(1) : renderAddress(written.address);
  const ranges = (dhcp?.ranges ?? []).map(spanOf).filter((span) => span !== undefined);
  const hosts = [...(dhcp?.hosts ?? []), ...(dns?.hosts ?? [])].map(({ ip }) => ip);
  const taken = new Set([gateway, ...hosts, ...forwards.map(({ guest }) => guest)]);
  const dnsServer = firstFree(subnet, { taken, ranges });
  return {
    subnet,
    gateway,
    ...(dnsServer !== undefined && { dnsServer }),
    ranges: dhcp === undefined ? [] : rangesOf({ subnet, ranges, kept: [gateway, dnsServer ?? gateway] }),
    derived: written === undefined,
  };
}

/** One of the 16384 networks of 256 addresses in 10.64.0.0/10, by the network's name: the same on every host. */
export function derivedSubnet(name: string): Subnet {
  const index = Number.parseInt(digestOf(name).slice(0, 8), 16) % 2 ** 14;
  const subnet = parseSubnet(`10.${64 + Math.floor(index / 256)}.${index % 256}.0/24`);
  if (subnet === undefined) throw new Error(`no subnet for ${name}`);
  return subnet;
}

interface Span {
  readonly from: bigint;
  readonly to: bigint;
}

function spanOf({ from, to }: AddressRange): Span | undefined {
  const [first, last] = [parseAddress(from), parseAddress(to)];
  return first?.family === 4 && last?.family === 4 ? { from: first.value, to: last.value } : undefined;
}

interface Taken {
  readonly taken: ReadonlySet<string>;
  readonly ranges: readonly Span[];
}

/** Ranges are stepped over as a whole: there are as many steps as hosts and ranges, however large the network is. */
function firstFree({ first, last }: Subnet, { taken, ranges }: Taken): string | undefined {
  for (let value = first + 1n; value < last; value += 1n) {
    const inside = ranges.find(({ from, to }) => value >= from && value <= to);
    if (inside !== undefined) value = inside.to;
    else if (!taken.has(ipv4(value))) return ipv4(value);
  }
  return undefined;
}

interface RangesInput {
  readonly subnet: Subnet;
  readonly ranges: readonly Span[];
  /** The gateway and the name server. */
  readonly kept: readonly string[];
}

function rangesOf({ subnet, ranges, kept }: RangesInput): AddressRange[] {
  if (ranges.length > 0) return ranges.map(({ from, to }) => ({ from: ipv4(from), to: ipv4(to) }));
  return kept
    .reduce<readonly Span[]>((spans, address) => spans.flatMap((span) => without(span, address)), [defaultSpan(subnet)])
    .map(({ from, to }) => ({ from: ipv4(from), to: ipv4(to) }));
}

/** .50 to .250 of 256; room for addresses of one's own at both ends, as long as there is room at all. */
function defaultSpan({ first, last }: Subnet): Span {
  const size = last - first + 1n;
  if (size >= 256n) return { from: first + 50n, to: last - 5n };
  return { from: first + (size >= 64n ? size / 4n : 1n), to: last - 1n };
}

function without(span: Span, address: string): Span[] {
  const value = parseAddress(address)?.value ?? -1n;
  if (value < span.from || value > span.to) return [span];
  return [
    { from: span.from, to: value - 1n },
    { from: value + 1n, to: span.to },
  ].filter(({ from, to }) => from <= to);
}

const ipv4 = (value: bigint): string => renderAddress({ family: 4, value });
