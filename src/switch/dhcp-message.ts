/** DHCP messages (RFC 2131, 2132): reading a client's, building a server's. */
import { macAt } from './frame.ts';
import { isStation } from './address.ts';

export const dhcpTypes = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

export const dhcpOptions = {
  subnetMask: 1,
  router: 3,
  nameServer: 6,
  hostName: 12,
  domainName: 15,
  mtu: 26,
  broadcast: 28,
  requestedAddress: 50,
  leaseTime: 51,
  messageType: 53,
  server: 54,
  wanted: 55,
  maxSize: 57,
  renewal: 58,
  rebinding: 59,
  clientId: 61,
  tftpServer: 66,
  bootFile: 67,
  domainSearch: 119,
} as const;

/** What a client asks. */
export interface DhcpRequest {
  readonly type: number;
  readonly mac: number;
  /** The address that it has, or 0. */
  readonly clientIp: number;
  readonly wantsBroadcast: boolean;
  readonly isRelayed: boolean;
  readonly options: ReadonlyMap<number, Buffer>;
  /** The first 44 bytes of it, of which an answer repeats some. */
  readonly head: Buffer;
}

const fixedSize = 236;
const cookie = 0x6382_5363;
const minSize = 300;

/** Undefined: not a whole, undamaged DHCP request of an Ethernet client. */
export function parseDhcpRequest(payload: Buffer): DhcpRequest | undefined {
  if (payload.length < fixedSize + 4 || payload.readUInt32BE(fixedSize) !== cookie) return undefined;
  const isEthernetRequest = payload.readUInt16BE(0) === 0x0101 && payload.readUInt8(2) === 6;
  const mac = macAt(payload, 28);
  const options = parseOptions(payload.subarray(fixedSize + 4));
  const type = options?.get(dhcpOptions.messageType);
  if (!isEthernetRequest || !isStation(mac) || options === undefined || type?.length !== 1) return undefined;
  return {
    type: type.readUInt8(0),
    mac,
    clientIp: payload.readUInt32BE(12),
    wantsBroadcast: (payload.readUInt16BE(10) & 0x8000) !== 0,
    isRelayed: payload.readUInt32BE(24) !== 0,
    options,
    head: payload.subarray(0, 44),
  };
}

/** Undefined if one of them is longer than what there is. Of an option that comes twice the first counts; the end need not be marked. */
function parseOptions(bytes: Buffer): Map<number, Buffer> | undefined {
  const options = new Map<number, Buffer>();
  let at = 0;
  while (at < bytes.length) {
    const code = bytes.readUInt8(at);
    if (code === 255) break;
    if (code === 0) at += 1;
    else {
      if (at + 2 > bytes.length) return undefined;
      const end = at + 2 + bytes.readUInt8(at + 1);
      if (end > bytes.length) return undefined;
      if (!options.has(code)) options.set(code, bytes.subarray(at + 2, end));
      at = end;
    }
  }
  return options;
}

/** An option's four bytes as an address or a number; undefined if it is not there or has another length. */
export function numberOption(request: DhcpRequest, code: number): number | undefined {
  const bytes = request.options.get(code);
  return bytes?.length === 4 ? bytes.readUInt32BE(0) : undefined;
}

export interface DhcpAnswer {
  readonly request: DhcpRequest;
  /** The address that the client gets, or 0. */
  readonly yourIp: number;
  /** The address that the client has, or 0. */
  readonly clientIp: number;
  /** Where it finds the file to boot, or 0. */
  readonly nextServer: number;
  /** Which file that is, of which 127 bytes count. */
  readonly bootFile?: string;
  /** The most important first: what does not fit into the client's limit is left out. */
  readonly options: readonly (readonly [code: number, value: Buffer])[];
}

export function buildDhcpAnswer({ request, options, ...fields }: DhcpAnswer): Buffer {
  const parts: Buffer[] = [];
  let room = maxSizeOf(request) - fixedSize - 4 - 1;
  for (const [code, value] of options) {
    const encoded = encodeOption(code, value);
    if (encoded.length > room) continue;
    room -= encoded.length;
    parts.push(encoded);
  }
  const body = Buffer.concat([...parts, Buffer.from([255])]);
  const answer = Buffer.alloc(Math.max(minSize, fixedSize + 4 + body.length));
  request.head.copy(answer, 0, 0, 44);
  answer.writeUInt8(2, 0);
  answer.writeUInt8(0, 3);
  answer.writeUInt16BE(0, 8);
  answer.writeUInt32BE(fields.clientIp, 12);
  answer.writeUInt32BE(fields.yourIp, 16);
  answer.writeUInt32BE(fields.nextServer, 20);
  answer.writeUInt32BE(0, 24);
  answer.write(fields.bootFile ?? '', 108, 127, 'latin1');
  answer.writeUInt32BE(cookie, fixedSize);
  body.copy(answer, fixedSize + 4);
  return answer;
}

/** How long the message may be: what the client says, without the headers of IPv4 and UDP; every client takes 548. */
function maxSizeOf(request: DhcpRequest): number {
  const bytes = request.options.get(dhcpOptions.maxSize);
  const said = bytes?.length === 2 ? bytes.readUInt16BE(0) : 0;
  return Math.min(1500, Math.max(576, said)) - 28;
}

/** What is longer than 255 bytes is cut into several options of one code (RFC 3396). */
function encodeOption(code: number, value: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < value.length; at += 255) {
    const part = value.subarray(at, at + 255);
    parts.push(Buffer.from([code, part.length]), part);
  }
  return Buffer.concat(parts);
}

/** Domain names as they stand in option 119 (RFC 3397), without pointers. */
export function encodeDomains(domains: readonly string[]): Buffer {
  return Buffer.concat(
    domains.flatMap((domain) => [
      ...domain
        .split('.')
        .filter((label) => label !== '')
        .map((label) => Buffer.from([label.length, ...Buffer.from(label, 'latin1')])),
      Buffer.from([0]),
    ]),
  );
}
