/** A UDP datagram over IPv6, without further headers, and the answer to it. */
import { checksum, envelopeSize, ethernetSize, etherTypes } from './frame.ts';
import { ipv6HeaderSize } from './ipv6.ts';

const headers = ethernetSize + ipv6HeaderSize + 8;
const udp = 17;

/** Undefined: the frame has no such datagram, or not the whole of one, or nobody can be answered. */
export function payloadOfDatagram6(frame: Buffer): Buffer | undefined {
  if (frame.length < headers || frame.readUInt16BE(12) !== etherTypes.ipv6) return undefined;
  const ip = frame.subarray(ethernetSize);
  const size = ip.readUInt16BE(4);
  const udpSize = ip.readUInt16BE(ipv6HeaderSize + 4);
  const isPlain = ip.readUInt8(0) >> 4 === 6 && ip.readUInt8(6) === udp;
  const isWhole = udpSize >= 8 && udpSize <= size && ipv6HeaderSize + size <= ip.length;
  const isFromOne = ip.readUInt8(8) !== 0xff && ip.subarray(8, 24).some((byte) => byte !== 0);
  return isPlain && isWhole && isFromOne ? ip.subarray(ipv6HeaderSize + 8, ipv6HeaderSize + udpSize) : undefined;
}

/** The answer to a frame of which there is a payload, in its envelope: from where the frame went, to where it came from. */
export function buildReply6(frame: Buffer, payload: Buffer): Buffer {
  const udpSize = 8 + payload.length;
  const envelope = Buffer.alloc(envelopeSize + headers + payload.length);
  envelope.writeUInt32BE(headers + payload.length, 0);
  const reply = envelope.subarray(envelopeSize);
  frame.copy(reply, 0, 6, 12);
  frame.copy(reply, 6, 0, 6);
  reply.writeUInt16BE(etherTypes.ipv6, 12);
  const [asked, ip] = [frame.subarray(ethernetSize), reply.subarray(ethernetSize)];
  ip.writeUInt8(0x60, 0);
  ip.writeUInt16BE(udpSize, 4);
  ip.writeUInt8(udp, 6);
  ip.writeUInt8(64, 7);
  asked.copy(ip, 8, 24, 40);
  asked.copy(ip, 24, 8, 24);
  asked.copy(ip, 40, 42, 44);
  asked.copy(ip, 42, 40, 42);
  ip.writeUInt16BE(udpSize, 44);
  payload.copy(ip, 48);
  // the sum covers both addresses, the length and the protocol too; over IPv6 it is never left out
  const sum = checksum(ip.subarray(8), udpSize + udp);
  ip.writeUInt16BE(sum === 0 ? 0xffff : sum, 46);
  return envelope;
}
