/**
 * Ethernet frames: reading what is at an offset, and building the few frames that the switch sends itself. A frame is a stretch of a buffer, from
 * its destination address to `end`; what is built comes in its envelope, the 4-byte length that goes before each frame on QEMU's stream sockets.
 */

export const envelopeSize = 4;
/** Two addresses and a type. */
export const ethernetSize = 14;
/** 64 KiB and a header with a VLAN tag. QEMU takes no longer ones either. */
export const maxFrameSize = 65_536 + 18;

export const etherTypes = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd, providerVlan: 0x88a8 } as const;

export const broadcastMac = 0xffff_ffff_ffff;

/** There must be 6 bytes. */
export const macAt = (buffer: Buffer, offset: number): number =>
  buffer.readUInt16BE(offset) * 0x1_0000_0000 + buffer.readUInt32BE(offset + 2);

function writeMac(buffer: Buffer, mac: number, offset: number): void {
  buffer.writeUInt16BE(Math.floor(mac / 0x1_0000_0000), offset);
  buffer.writeUInt32BE(mac % 0x1_0000_0000, offset + 2);
}

/** A UDP datagram over IPv4 in one frame. */
export interface Datagram {
  readonly sourceMac: number;
  readonly destinationMac: number;
  readonly sourceIp: number;
  readonly destinationIp: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Buffer;
}

/** Undefined: no such datagram, or not the whole of one, or damaged lengths. */
export function parseDatagram(frame: Buffer): Datagram | undefined {
  if (frame.length < ethernetSize + 28 || frame.readUInt16BE(12) !== etherTypes.ipv4) return undefined;
  const ip = frame.subarray(ethernetSize);
  const headerSize = (ip.readUInt8(0) & 15) * 4;
  const totalSize = ip.readUInt16BE(2);
  if (ip.readUInt8(0) >> 4 !== 4 || headerSize < 20 || totalSize < headerSize + 8 || totalSize > ip.length)
    return undefined;
  const fragment = (ip.readUInt16BE(6) & 0x3fff) !== 0;
  if (fragment || ip.readUInt8(9) !== 17) return undefined;
  const udpSize = ip.readUInt16BE(headerSize + 4);
  if (udpSize < 8 || headerSize + udpSize > totalSize) return undefined;
  return {
    destinationMac: macAt(frame, 0),
    sourceMac: macAt(frame, 6),
    sourceIp: ip.readUInt32BE(12),
    destinationIp: ip.readUInt32BE(16),
    sourcePort: ip.readUInt16BE(headerSize),
    destinationPort: ip.readUInt16BE(headerSize + 2),
    payload: ip.subarray(headerSize + 8, headerSize + udpSize),
  };
}

/** The frame in its envelope. The payload has at most 1472 bytes. */
export function buildDatagram(datagram: Datagram): Buffer {
  const { payload, sourceIp, destinationIp } = datagram;
  const udpSize = 8 + payload.length;
  const envelope = startFrame(datagram, etherTypes.ipv4, 20 + udpSize);
  const ip = envelope.subarray(envelopeSize + ethernetSize);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(20 + udpSize, 2);
  ip.writeUInt8(64, 8);
  ip.writeUInt8(17, 9);
  ip.writeUInt32BE(sourceIp, 12);
  ip.writeUInt32BE(destinationIp, 16);
  ip.writeUInt16BE(checksum(ip.subarray(0, 20)), 10);
  const udp = ip.subarray(20, 20 + udpSize);
  udp.writeUInt16BE(datagram.sourcePort, 0);
  udp.writeUInt16BE(datagram.destinationPort, 2);
  udp.writeUInt16BE(udpSize, 4);
  payload.copy(udp, 8);
  // the sum covers a header that is not sent: both addresses, the protocol and the length
  const sum = checksum(udp, sumOf(ip.subarray(12, 20)) + 17 + udpSize);
  udp.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
  return envelope;
}

/** At least 60 bytes, as on a wire. */
function startFrame(
  ends: { readonly sourceMac: number; readonly destinationMac: number },
  type: number,
  size: number,
): Buffer {
  const frameSize = Math.max(60, ethernetSize + size);
  const envelope = Buffer.alloc(envelopeSize + frameSize);
  envelope.writeUInt32BE(frameSize, 0);
  writeMac(envelope, ends.destinationMac, envelopeSize);
  writeMac(envelope, ends.sourceMac, envelopeSize + 6);
  envelope.writeUInt16BE(type, envelopeSize + 12);
  return envelope;
}

function sumOf(bytes: Buffer): number {
  let sum = 0;
  for (let offset = 0; offset + 1 < bytes.length; offset += 2) sum += bytes.readUInt16BE(offset);
  return bytes.length % 2 === 1 ? sum + bytes.readUInt8(bytes.length - 1) * 256 : sum;
}

/** The Internet's checksum (RFC 1071). */
export function checksum(bytes: Buffer, initial = 0): number {
  let sum = initial + sumOf(bytes);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return ~sum & 0xffff;
}

/** An ARP packet about IPv4 over Ethernet. */
export interface Arp {
  readonly operation: number;
  readonly senderMac: number;
  readonly senderIp: number;
  readonly targetIp: number;
}

const arpSize = 28;
export const arpOperations = { request: 1, reply: 2 } as const;

/** `offset` is where the packet begins, behind the frame's type. */
export function parseArp(buffer: Buffer, offset: number, end: number): Arp | undefined {
  if (end - offset < arpSize) return undefined;
  const ethernetAndIpv4 = buffer.readUInt32BE(offset) === 0x0001_0800 && buffer.readUInt16BE(offset + 4) === 0x0604;
  if (!ethernetAndIpv4) return undefined;
  return {
    operation: buffer.readUInt16BE(offset + 6),
    senderMac: macAt(buffer, offset + 8),
    senderIp: buffer.readUInt32BE(offset + 14),
    targetIp: buffer.readUInt32BE(offset + 24),
  };
}

/** "`ip` is at `mac`", to who asked, in its envelope. */
export function buildArpReply(ip: number, mac: number, asker: { readonly mac: number; readonly ip: number }): Buffer {
  const envelope = startFrame({ sourceMac: mac, destinationMac: asker.mac }, etherTypes.arp, arpSize);
  const arp = envelope.subarray(envelopeSize + ethernetSize);
  arp.writeUInt32BE(0x0001_0800, 0);
  arp.writeUInt16BE(0x0604, 4);
  arp.writeUInt16BE(arpOperations.reply, 6);
  writeMac(arp, mac, 8);
  arp.writeUInt32BE(ip, 14);
  writeMac(arp, asker.mac, 18);
  arp.writeUInt32BE(asker.ip, 24);
  return envelope;
}
