/** Frames as guests may make them by hand, in bytes: what no socket of a kernel would send. */
import { parseAddress } from '../../src/subnet.ts';

type Bytes = readonly number[];

export const bytesOfMac = (mac: string): Bytes => mac.split(':').map((octet) => Number.parseInt(octet, 16));
const bytes4 = (ip: string): Bytes => ip.split('.').map(Number);
const two = (value: number): Bytes => [(value >> 8) & 0xff, value & 0xff];

export function bytes6(ip: string): Bytes {
  const value = parseAddress(ip)?.value ?? 0n;
  return Array.from({ length: 16 }, (_, at) => Number((value >> BigInt(8 * (15 - at))) & 0xffn));
}

export interface Ethernet {
  readonly to: string;
  readonly from: string;
  /** Tags from the outside in: `8100:0` is a priority tag, which says no VLAN. */
  readonly tags?: readonly (readonly [type: number, id: number])[];
}

export interface Payload {
  readonly type: number;
  readonly bytes: Bytes;
}

export const frame = ({ to, from, tags = [] }: Ethernet, { type, bytes }: Payload): Bytes => [
  ...bytesOfMac(to),
  ...bytesOfMac(from),
  ...tags.flatMap(([tag, id]) => [...two(tag), ...two(id)]),
  ...two(type),
  ...bytes,
  ...Array.from({ length: Math.max(0, 46 - bytes.length) }, () => 0),
];

export interface Arp {
  readonly operation: 'request' | 'reply';
  readonly mac: string;
  readonly ip: string;
  readonly target: string;
  /** What stands behind it, where nobody looks. */
  readonly mark: Bytes;
}

export const arp = ({ operation, mac, ip, target, mark }: Arp): Payload => ({
  type: 0x0806,
  bytes: [
    ...[0, 1, 8, 0, 6, 4, 0, operation === 'request' ? 1 : 2],
    ...[...bytesOfMac(mac), ...bytes4(ip), 0, 0, 0, 0, 0, 0, ...bytes4(target), ...mark],
  ],
});

/** Of the Internet, of words of 16 bits. */
function checksum(bytes: Bytes): Bytes {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return two(~sum & 0xffff);
}

const udp = (from: number, to: number, data: Bytes): Bytes => [...two(from), ...two(to), ...two(8 + data.length)];

export interface Datagram {
  readonly from: string;
  readonly to: string;
  readonly ports: readonly [from: number, to: number];
  readonly data: Bytes;
  /** The first of several fragments: what comes behind `data`, in whole groups of 8 bytes, is not sent. */
  readonly fragment?: boolean;
}

export function udp4({ from, to, ports, data, fragment = false }: Datagram): Payload {
  const head = [0x45, 0, ...two(28 + data.length), 0, 0, fragment ? 0x20 : 0, 0, 64, 17];
  const ends = [...bytes4(from), ...bytes4(to)];
  // without a sum of its own, which IPv4 lets one leave out
  const whole = [...udp(...ports, data), 0, 0, ...data];
  return { type: 0x0800, bytes: [...head, ...checksum([...head, 0, 0, ...ends]), ...ends, ...whole] };
}

export interface Packet6 {
  readonly from: string;
  readonly to: string;
  readonly next: number;
  readonly body: Bytes;
  readonly hops?: number;
  /** Empty options for each router on the way, before the body. */
  readonly options?: boolean;
  /** false: the body has no sum, or is not whole. */
  readonly summed?: boolean;
}

/** @param body with a sum of nought at `sumAt` */
export function packet6({ from, to, next, body, hops = 255, options = false, summed = true }: Packet6): Payload {
  const ends = [...bytes6(from), ...bytes6(to)];
  const sum = checksum([...ends, 0, 0, ...two(body.length), 0, 0, 0, next, ...body]);
  const at = next === 17 ? 6 : 2;
  const whole = summed ? [...body.slice(0, at), ...sum, ...body.slice(at + 2)] : body;
  const before = options ? [next, 0, 1, 4, 0, 0, 0, 0] : [];
  const head = [0x60, 0, 0, 0, ...two(before.length + whole.length), options ? 0 : next, hops];
  return { type: 0x86dd, bytes: [...head, ...ends, ...before, ...whole] };
}

export function udp6({ from, to, ports, data, fragment = false }: Datagram): Payload {
  const body = [...udp(...ports, data), 0, 0, ...data];
  if (!fragment) return packet6({ from, to, next: 17, body, hops: 64 });
  return packet6({ from, to, next: 44, body: [17, 0, 0, 1, 0, 0, 0, 7, ...body], hops: 64, summed: false });
}

/** The same behind a length and 802.2: how it went over Ethernet of IEEE (RFC 1042). */
export const snap = ({ type, bytes }: Payload): Payload => ({
  type: 8 + bytes.length,
  bytes: [0xaa, 0xaa, 3, 0, 0, 0, ...two(type), ...bytes],
});

/** An option of neighbour discovery: its type, and what it says. */
const option = (type: number, data: Bytes): Bytes => [type, Math.ceil((data.length + 2) / 8), ...data];

export interface Discovery {
  readonly from: string;
  readonly to: string;
  /** Its own address at the link, as the message tells it. */
  readonly mac: string;
  readonly mark: Bytes;
  readonly options?: boolean;
}

const icmp6 = ({ from, to, options = false }: Discovery, body: Bytes): Payload =>
  packet6({ from, to, next: 58, body, options });
/** Of a type that nobody knows, which is passed over. */
const marked = (mark: Bytes): Bytes =>
  option(200, [...mark, ...Array.from({ length: 6 - (mark.length % 8) }, () => 0)]);

export const routerAdvert = (message: Discovery): Payload =>
  icmp6(message, [
    ...[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0],
    ...option(1, bytesOfMac(message.mac)),
    ...marked(message.mark),
  ]);

export const routerSolicit = (message: Discovery): Payload =>
  icmp6(message, [133, 0, 0, 0, 0, 0, 0, 0, ...option(1, bytesOfMac(message.mac)), ...marked(message.mark)]);

export const redirect = (message: Discovery, target: string): Payload =>
  icmp6(message, [137, 0, 0, 0, 0, 0, 0, 0, ...bytes6(message.from), ...bytes6(target), ...marked(message.mark)]);

export const neighbourSolicit = (message: Discovery, target: string): Payload =>
  icmp6(message, [
    ...[135, 0, 0, 0, 0, 0, 0, 0, ...bytes6(target)],
    ...option(1, bytesOfMac(message.mac)),
    ...marked(message.mark),
  ]);

/** Unasked, and in place of what is known. */
export const neighbourAdvert = (message: Discovery, target: string): Payload =>
  icmp6(message, [
    ...[136, 0, 0, 0, 0x20, 0, 0, 0, ...bytes6(target)],
    ...option(2, bytesOfMac(message.mac)),
    ...marked(message.mark),
  ]);

/** For `printf %b`. */
export const octal = (bytes: Bytes): string => bytes.map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join('');
export const hex = (bytes: Bytes): string => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
