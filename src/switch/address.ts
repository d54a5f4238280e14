/** Addresses as numbers: an IPv4 address is an unsigned 32-bit number, a MAC one of 48 bits. Parsing is total: what is no address gives undefined. */

export interface Subnet {
  readonly network: number;
  readonly broadcast: number;
  readonly mask: number;
}

/** Both ends included. */
export interface AddressRange {
  readonly from: number;
  readonly to: number;
}

/** `10.44.0.1`; no shorter forms, no leading zeros. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export const formatIpv4 = (ip: number): string =>
  `${(ip >>> 24) & 255}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`;

/** `52:54:00:12:ab:cd`, of one station: not zero and no group. */
export function parseMac(text: string): number | undefined {
  if (!/^(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(text)) return undefined;
  const mac = Number.parseInt(text.replaceAll(':', ''), 16);
  return isStation(mac) ? mac : undefined;
}

export const formatMac = (mac: number): string =>
  mac
    .toString(16)
    .padStart(12, '0')
    .replace(/..(?=.)/g, '$&:');

const groupBit = 2 ** 40;

/** Whether it can be somebody's own address. */
export const isStation = (mac: number): boolean => mac > 0 && Math.floor(mac / groupBit) % 2 === 0;

/** The MAC that slirp uses for an address of its own: 52:55 and the address. */
export const slirpMac = (ip: number): number => 0x5255_0000_0000 + ip;

/** `10.44.0.0/24`; the host part is ignored. From /8 to /30. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = '', length = '', ...more] = text.split('/');
  const ip = parseIpv4(address);
  if (ip === undefined || more.length > 0 || !/^[0-9]{1,2}$/.test(length)) return undefined;
  const bits = Number(length);
  if (bits < 8 || bits > 30) return undefined;
  const mask = (0xffff_ffff << (32 - bits)) >>> 0;
  const network = (ip & mask) >>> 0;
  return { network, broadcast: (network | ~mask) >>> 0, mask };
}

/** Whether it is an address that a guest of the subnet can have. */
export const isHostOf = ({ network, broadcast }: Subnet, ip: number): boolean => ip > network && ip < broadcast;
