/** Frames as guests send them, and what comes back read again. */
import { buildDatagram, envelopeSize, parseDatagram, type Datagram } from '../../../src/switch/frame.ts';
import { parseIpv4, parseMac } from '../../../src/switch/address.ts';
import { encodeName } from '../../../src/switch/dns-message.ts';

export const macOf = (text: string): number => {
  const mac = parseMac(text);
  if (mac === undefined) throw new Error(`no MAC: ${text}`);
  return mac;
};
export const ipOf = (text: string): number => {
  const ip = parseIpv4(text);
  if (ip === undefined) throw new Error(`no address: ${text}`);
  return ip;
};

export const everyMac = 'ff:ff:ff:ff:ff:ff';
export const gatewayMac = '52:55:0a:2c:00:01';
export const dnsMac = '52:55:0a:2c:00:03';

const bytesOfMac = (text: string): Buffer => Buffer.from(text.replaceAll(':', ''), 'hex');

export interface Ends {
  readonly from: string;
  readonly to: string;
}

/** A bare frame: no envelope, and no padding. */
export function frame({ from, to }: Ends, type: number, payload: Buffer = Buffer.alloc(46)): Buffer {
  return Buffer.concat([bytesOfMac(to), bytesOfMac(from), Buffer.from([type >> 8, type & 255]), payload]);
}

export function envelop(...frames: readonly Buffer[]): Buffer {
  return Buffer.concat(
    frames.flatMap((one) => {
      const size = Buffer.alloc(envelopeSize);
      size.writeUInt32BE(one.length);
      return [size, one];
    }),
  );
}

/** The frames in these bytes. */
export function framesOf(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + envelopeSize + bytes.readUInt32BE(at);
    if (end > bytes.length) throw new Error('the last frame is not whole');
    frames.push(bytes.subarray(at + envelopeSize, end));
    at = end;
  }
  return frames;
}

export interface ArpText extends Ends {
  readonly operation?: number;
  readonly senderMac?: string;
  readonly senderIp: string;
  readonly targetIp: string;
}

export function arpFrame({ from, to, operation = 1, senderMac = from, senderIp, targetIp }: ArpText): Buffer {
  const arp = Buffer.alloc(28);
  arp.writeUInt32BE(0x0001_0800, 0);
  arp.writeUInt16BE(0x0604, 4);
  arp.writeUInt16BE(operation, 6);
  bytesOfMac(senderMac).copy(arp, 8);
  arp.writeUInt32BE(ipOf(senderIp), 14);
  arp.writeUInt32BE(ipOf(targetIp), 24);
  return frame({ from, to }, 0x0806, arp);
}

export interface Ipv4Text extends Ends {
  readonly source: string;
  readonly destination: string;
  readonly protocol?: number;
  /** Flags and offset, as they stand in the header. */
  readonly fragment?: number;
  readonly payload?: Buffer;
}

export function ipv4Frame({ from, to, source, destination, ...rest }: Ipv4Text): Buffer {
  const { protocol = 6, fragment = 0, payload = Buffer.alloc(40) } = rest;
  const ip = Buffer.alloc(20);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(20 + payload.length, 2);
  ip.writeUInt16BE(fragment, 6);
  ip.writeUInt8(64, 8);
  ip.writeUInt8(protocol, 9);
  ip.writeUInt32BE(ipOf(source), 12);
  ip.writeUInt32BE(ipOf(destination), 16);
  return frame({ from, to }, 0x0800, Buffer.concat([ip, payload]));
}

export interface UdpText extends Omit<Ipv4Text, 'protocol'> {
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export function udpFrame({ sourcePort, destinationPort, payload = Buffer.alloc(20), ...rest }: UdpText): Buffer {
  const udp = Buffer.alloc(8);
  udp.writeUInt16BE(sourcePort, 0);
  udp.writeUInt16BE(destinationPort, 2);
  udp.writeUInt16BE(8 + payload.length, 4);
  return ipv4Frame({ ...rest, protocol: 17, payload: Buffer.concat([udp, payload]) });
}

/** `next` is the type of what comes behind the header. */
export function ipv6Frame(ends: Ends, next: number, payload: Buffer): Buffer {
  const ip = Buffer.alloc(40);
  ip.writeUInt8(0x60, 0);
  ip.writeUInt16BE(payload.length, 4);
  ip.writeUInt8(next, 6);
  ip.writeUInt8(255, 7);
  return frame(ends, 0x86dd, Buffer.concat([ip, payload]));
}

/** A tag in front of what the frame carries. */
export function tagged(one: Buffer, vlan: number): Buffer {
  const tag = Buffer.from([0x81, 0x00, vlan >> 8, vlan & 255]);
  return Buffer.concat([one.subarray(0, 12), tag, one.subarray(12)]);
}

export interface DhcpText {
  readonly mac: string;
  readonly type: number;
  readonly clientIp?: string;
  readonly relay?: string;
  readonly broadcast?: boolean;
  readonly options?: readonly (readonly [code: number, value: Buffer | string | readonly number[]])[];
}

export const address = (text: string): Buffer => Buffer.from(text.split('.').map(Number));

export function dhcpPayload({
  mac,
  type,
  clientIp = '0.0.0.0',
  relay = '0.0.0.0',
  broadcast,
  options = [],
}: DhcpText): Buffer {
  const fixed = Buffer.alloc(240);
  fixed.set([1, 1, 6, 0], 0);
  fixed.writeUInt32BE(0x1234_5678, 4);
  fixed.writeUInt16BE(broadcast === true ? 0x8000 : 0, 10);
  address(clientIp).copy(fixed, 12);
  address(relay).copy(fixed, 24);
  bytesOfMac(mac).copy(fixed, 28);
  fixed.writeUInt32BE(0x6382_5363, 236);
  const parts = [[53, [type]] as const, ...options].map(([code, value]) => {
    const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value);
    return Buffer.concat([Buffer.from([code, bytes.length]), bytes]);
  });
  return Buffer.concat([fixed, ...parts, Buffer.from([255])]);
}

export function dhcpDatagram(text: DhcpText): Datagram {
  return {
    sourceMac: macOf(text.mac),
    destinationMac: 0xffff_ffff_ffff,
    sourceIp: ipOf(text.clientIp ?? '0.0.0.0'),
    destinationIp: 0xffff_ffff,
    sourcePort: 68,
    destinationPort: 67,
    payload: dhcpPayload(text),
  };
}

export const dhcpFrame = (text: DhcpText): Buffer => framesOf(buildDatagram(dhcpDatagram(text)))[0] ?? Buffer.alloc(0);

export interface DhcpReply {
  readonly type: number | undefined;
  readonly yourIp: string;
  readonly toMac: number;
  readonly toIp: number;
  readonly options: ReadonlyMap<number, Buffer>;
  readonly payload: Buffer;
}

/** Reads an answer in its envelope. */
export function dhcpReply(envelope: Buffer | undefined): DhcpReply | undefined {
  if (envelope === undefined) return undefined;
  const [only = Buffer.alloc(0), ...more] = framesOf(envelope);
  const datagram = parseDatagram(only);
  if (more.length > 0 || datagram?.sourcePort !== 67 || datagram.destinationPort !== 68)
    throw new Error('no answer of DHCP');
  const { payload } = datagram;
  const options = new Map<number, Buffer>();
  for (let at = 240; at < payload.length && payload[at] !== 255;) {
    const code = payload.readUInt8(at);
    const end = at + 2 + payload.readUInt8(at + 1);
    options.set(code, Buffer.concat([options.get(code) ?? Buffer.alloc(0), payload.subarray(at + 2, end)]));
    at = end;
  }
  return {
    type: options.get(53)?.[0],
    yourIp: [...payload.subarray(16, 20)].join('.'),
    toMac: datagram.destinationMac,
    toIp: datagram.destinationIp,
    options,
    payload,
  };
}

export function dnsQuestion(
  name: string,
  type = 1,
  extra: { readonly flags?: number; readonly edns?: boolean } = {},
): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0x1111, 0);
  head.writeUInt16BE(extra.flags ?? 0x0100, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(extra.edns === true ? 1 : 0, 10);
  const opt = extra.edns === true ? Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]) : Buffer.alloc(0);
  return Buffer.concat([head, encodeName(name), Buffer.from([0, type, 0, 1]), opt]);
}
