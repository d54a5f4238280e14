/** IPv4 arithmetic for the network that QEMU's user NIC makes up. */
export interface Subnet {
  /** `10.0.2.0/24` */
  readonly cidr: string;
  readonly prefix: number;
  readonly contains: (address: string) => boolean;
  /** The address that lies `offset` above the network's own. */
  readonly at: (offset: number) => string;
}

/** Gives the four octets as one number; undefined for anything but four decimal octets without leading zeroes. */
export function parseIpv4(text: string): number | undefined {
  const octets = text.split('.');
  if (octets.length !== 4 || octets.some((octet) => !/^(0|[1-9]\d{0,2})$/.test(octet) || Number(octet) > 255))
    return undefined;
  return octets.reduce((value, octet) => value * 256 + Number(octet), 0);
}

/** Undefined for anything but `ADDRESS/PREFIX`. The address may be any of the network. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address, prefixText, ...more] = text.split('/');
  const value = parseIpv4(address ?? '');
  if (value === undefined || more.length > 0 || !/^\d{1,2}$/.test(prefixText ?? '')) return undefined;
  const prefix = Number(prefixText);
  if (prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  const network = Math.floor(value / size) * size;
  return {
    cidr: `${renderIpv4(network)}/${prefix}`,
    prefix,
    contains: (other) => {
      const number = parseIpv4(other);
      return number !== undefined && number >= network && number < network + size;
    },
    at: (offset) => renderIpv4(network + offset),
  };
}

export function renderIpv4(value: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(value / 2 ** bits) % 256).join('.');
}
