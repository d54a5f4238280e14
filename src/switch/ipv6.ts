/** The little that the guard must know of an IPv6 packet: what is behind its chain of headers. */

/** ICMPv6 types of neighbour discovery (RFC 4861). */
export const ndp = {
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
  redirect: 137,
} as const;

export type Ipv6Payload =
  | { readonly kind: 'icmp'; readonly type: number; readonly at: number }
  | { readonly kind: 'udp'; readonly sourcePort: number; readonly destinationPort: number }
  /** Something else, or a later fragment, which says nothing. */
  | { readonly kind: 'other' }
  /** Damaged, or its headers are cut off so that nobody can say what it is (RFC 7113). */
  | { readonly kind: 'unclear' };

export const ipv6HeaderSize = 40;
const icmp = 58;
const udp = 17;
const fragment = 44;
/** Hop-by-hop, routing, destination options: next header, length in 8 bytes without the first 8. */
const options = new Set([0, 43, 60]);
const maxHeaders = 16;

const unclear: Ipv6Payload = { kind: 'unclear' };

/** `at` is where the IPv6 header begins. */
export function parseIpv6Payload(buffer: Buffer, start: number, end: number): Ipv6Payload {
  if (end - start < ipv6HeaderSize) return unclear;
  let type = buffer.readUInt8(start + 6);
  let at = start + ipv6HeaderSize;
  for (let count = 0; count < maxHeaders; count++) {
    if (type === fragment) {
      if (at + 8 > end) return unclear;
      if (buffer.readUInt16BE(at + 2) >> 3 !== 0) return { kind: 'other' };
    } else if (!options.has(type)) return payloadOf(buffer, { type, at, end });
    if (at + 8 > end) return unclear;
    const size = type === fragment ? 8 : (buffer.readUInt8(at + 1) + 1) * 8;
    type = buffer.readUInt8(at);
    at += size;
  }
  return unclear;
}

function payloadOf(
  buffer: Buffer,
  { type, at, end }: { readonly type: number; readonly at: number; readonly end: number },
): Ipv6Payload {
  if (type === icmp) return at + 4 > end ? unclear : { kind: 'icmp', type: buffer.readUInt8(at), at };
  if (type !== udp) return { kind: 'other' };
  if (at + 8 > end) return unclear;
  return { kind: 'udp', sourcePort: buffer.readUInt16BE(at), destinationPort: buffer.readUInt16BE(at + 2) };
}

/** What is not forwarded: its source address is its sender's own. */
export const isNeighbourDiscovery = (type: number): boolean => type >= ndp.routerAdvertisement && type <= ndp.redirect;
