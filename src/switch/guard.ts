/**
 * What may pass. The gateway is slirp: it has addresses of its own (52:55:… and 52:56:…), answers whatever is shown to it, and knows nothing of
 * guests that talk to one another. So it is shown only what is meant for it; and no guest may speak with its voice, whether by Ethernet address,
 * ARP, IPv4 source address, or as somebody who hands out addresses and routes.
 */
import { arpOperations, etherTypes, ethernetSize, parseArp } from './frame.ts';
import { isNeighbourDiscovery, ndp, parseIpv6Payload, type Ipv6Payload } from './ipv6.ts';

/**
 * - `pass`: to whom it is addressed, the gateway too.
 * - `guests`: the same, but never to the gateway.
 * - `arp`, `dhcp`, `dns`, `dns6`: a question that the switch answers itself.
 * - `drop`: to nobody, because it is damaged.
 * - `spoof`: to nobody, because only the gateway may say so.
 */
export type Verdict = 'pass' | 'guests' | 'arp' | 'dhcp' | 'dns' | 'dns6' | 'drop' | 'spoof';

export interface GuardOptions {
  readonly gateway: number;
  readonly dnsServer: number;
  readonly isolated: boolean;
  /** Whether the switch answers DHCP: then no guest hands out addresses, or advertises routes. */
  readonly hasDhcp: boolean;
}

const dhcpPorts = { server: 67, client: 68 };
const dhcp6Ports = { client: 546, server: 547 };
const dnsPort = 53;
const maxTags = 4;

/** Where a frame begins, its packet, and both end. */
interface Packet {
  readonly start: number;
  readonly at: number;
  readonly end: number;
}

/** The first two octets of what slirp calls its own. */
export const isGatewayPrefix = (prefix: number): boolean => prefix === 0x5255 || prefix === 0x5256;

const maxGatewayAddresses = 16;

export class Guard {
  #options: GuardOptions;
  /** The gateway's IPv6 addresses, as far as it has said them in neighbour discovery. */
  readonly #gateway6 = new Set<string>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  update(options: GuardOptions): void {
    this.#options = options;
  }

  /** A frame of a guest's; at least a whole Ethernet header from `start` to `end`. */
  judgeGuest(buffer: Buffer, start: number, end: number): Verdict {
    const type = buffer.readUInt16BE(start + 12);
    return type === etherTypes.vlan || type === etherTypes.providerVlan
      ? this.#judgeTagged(buffer, start, end)
      : this.#judge(type, buffer, { start, at: start + ethernetSize, end });
  }

  /** A frame of the gateway's. Its DHCP server is the switch's rival: it knows nothing of the addresses that are given out here. */
  judgeGateway(buffer: Buffer, start: number, end: number): boolean {
    const type = buffer.readUInt16BE(start + 12);
    const at = start + ethernetSize;
    if (type === etherTypes.ipv4) {
      const ports = portsOf(buffer, at, end);
      return ports === undefined || (ports.source !== dhcpPorts.server && ports.destination !== dhcpPorts.client);
    }
    if (type !== etherTypes.ipv6) return type === etherTypes.arp;
    const payload = parseIpv6Payload(buffer, at, end);
    if (payload.kind !== 'icmp') return payload.kind !== 'unclear';
    if (isNeighbourDiscovery(payload.type) && this.#gateway6.size < maxGatewayAddresses)
      this.#gateway6.add(buffer.toString('latin1', at + 8, at + 24));
    return payload.type !== ndp.routerAdvertisement || !this.#options.isolated;
  }

  #isOurs(ip: number): boolean {
    return ip === this.#options.gateway || ip === this.#options.dnsServer;
  }

  #judge(type: number, buffer: Buffer, packet: Packet): Verdict {
    if (type === etherTypes.ipv4) return this.#judgeIpv4(buffer, packet);
    if (type === etherTypes.arp) return this.#judgeArp(buffer, packet);
    return type === etherTypes.ipv6 ? this.#judgeIpv6(buffer, packet) : 'guests';
  }

  /**
   * A tag without a number means no VLAN to whoever receives it: it must not carry past the guard what could not go without. A VLAN is the guests' own
   * affair; slirp knows none.
   */
  #judgeTagged(buffer: Buffer, start: number, end: number): Verdict {
    let at = start + ethernetSize;
    for (let tags = 0; tags < maxTags; tags++) {
      if (end - at < 4) return 'drop';
      if ((buffer.readUInt16BE(at) & 0x0fff) !== 0) return 'guests';
      const type = buffer.readUInt16BE(at + 2);
      at += 4;
      if (type === etherTypes.vlan || type === etherTypes.providerVlan) continue;
      const verdict = this.#judge(type, buffer, { start, at, end });
      if (verdict === 'pass' || verdict === 'guests') return 'guests';
      return verdict === 'spoof' ? 'spoof' : 'drop';
    }
    return 'drop';
  }

  #judgeIpv4(buffer: Buffer, { start, at, end }: Packet): Verdict {
    if (end - at < 20) return 'drop';
    if (this.#isOurs(buffer.readUInt32BE(at + 12))) return 'spoof';
    const destination = buffer.readUInt32BE(at + 16);
    // slirp would send multicasts and broadcasts on into the host's network
    const ordinary: Verdict = isGroupFrame(buffer, start) || isGroup(destination) ? 'guests' : 'pass';
    if (buffer.readUInt8(at + 9) !== 17) return ordinary;
    const fragment = buffer.readUInt16BE(at + 6) & 0x3fff;
    if ((fragment & 0x1fff) !== 0) return ordinary;
    const ports = portsOf(buffer, at, end);
    if (ports === undefined) return 'drop';
    if (ports.destination === dhcpPorts.server) return this.#options.hasDhcp ? 'dhcp' : 'guests';
    if (ports.source === dhcpPorts.server || ports.destination === dhcpPorts.client)
      return this.#options.hasDhcp ? 'spoof' : 'guests';
    const isQuestion = ports.destination === dnsPort && destination === this.#options.dnsServer && fragment === 0;
    return isQuestion && !isGroupFrame(buffer, start) ? 'dns' : ordinary;
  }

  #judgeArp(buffer: Buffer, { at, end }: Packet): Verdict {
    const arp = parseArp(buffer, at, end);
    if (arp === undefined) return 'drop';
    if (this.#isOurs(arp.senderIp) || isGatewayPrefix(Math.floor(arp.senderMac / 0x1_0000_0000))) return 'spoof';
    return arp.operation === arpOperations.request && this.#isOurs(arp.targetIp) ? 'arp' : 'pass';
  }

  #judgeIpv6(buffer: Buffer, { start, at, end }: Packet): Verdict {
    const payload = parseIpv6Payload(buffer, at, end);
    switch (payload.kind) {
      case 'unclear':
        return 'drop';
      case 'icmp':
        return this.#isRoutersWord(buffer, payload, end) ? 'spoof' : 'pass';
      case 'udp':
        if (this.#options.hasDhcp && isOfDhcp6Server(payload)) return 'spoof';
        if (payload.destinationPort === dnsPort && isToGateway6(buffer, start, at)) return 'dns6';
        return isGroupFrame(buffer, start) && payload.destinationPort !== dhcp6Ports.server ? 'guests' : 'pass';
      case 'other':
        return isGroupFrame(buffer, start) ? 'guests' : 'pass';
    }
  }

  /** What only a router says, or "I have this address" about one of the gateway's. */
  #isRoutersWord(buffer: Buffer, { type, at }: Extract<Ipv6Payload, { kind: 'icmp' }>, end: number): boolean {
    if (type === ndp.redirect) return true;
    if (type === ndp.routerAdvertisement) return this.#options.hasDhcp;
    return (
      type === ndp.neighbourAdvertisement &&
      at + 24 <= end &&
      this.#gateway6.has(buffer.toString('latin1', at + 8, at + 24))
    );
  }
}

/**
 * slirp's MAC for an IPv6 address of its own has that address's last four bytes. A server of elsewhere whose address ends like the router's looks the
 * same: then what is not a name of ours goes on to it.
 */
const isToGateway6 = (buffer: Buffer, start: number, at: number): boolean =>
  buffer.readUInt16BE(start) === 0x5256 && buffer.readUInt32BE(start + 2) === buffer.readUInt32BE(at + 36);

const isOfDhcp6Server = ({ sourcePort, destinationPort }: Extract<Ipv6Payload, { kind: 'udp' }>): boolean =>
  sourcePort === dhcp6Ports.server || destinationPort === dhcp6Ports.client;

const isGroupFrame = (buffer: Buffer, start: number): boolean => (buffer.readUInt8(start) & 1) === 1;

/** Multicast, and the broadcast address. A subnet's own broadcast address goes to the Ethernet address of all. */
const isGroup = (ip: number): boolean => ip >= 0xe000_0000;

/** Of a UDP datagram or its first fragment, behind an IPv4 header at `at` of which 20 bytes are there. */
function portsOf(
  buffer: Buffer,
  at: number,
  end: number,
): { readonly source: number; readonly destination: number } | undefined {
  if (end - at < 20 || buffer.readUInt8(at + 9) !== 17 || (buffer.readUInt16BE(at + 6) & 0x1fff) !== 0)
    return undefined;
  const udp = at + (buffer.readUInt8(at) & 15) * 4;
  if (udp < at + 20 || udp + 8 > end) return undefined;
  return { source: buffer.readUInt16BE(udp), destination: buffer.readUInt16BE(udp + 2) };
}
