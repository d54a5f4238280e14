/**
 * Options of DHCP by name or number → the bytes that go over the wire. https://www.iana.org/assignments/bootp-dhcp-parameters
 */
import { canonicalAddress, parseAddress } from '../subnet.ts';
import type { Parsed } from '../profile/address.ts';
import { closestOf } from '../profile/closest.ts';
import { truncated } from '../profile/words.ts';

export interface DhcpOption {
  /** A name of the table below, or a number from 1 to 254. */
  readonly option: string;
  readonly value: string;
}

export interface EncodedOption {
  readonly code: number;
  readonly hex: string;
}

type ValueKind = 'addresses' | 'text' | 'number8' | 'number16' | 'number32';

/** By the names that dnsmasq knows them under. */
const known: Readonly<Record<string, readonly [number, ValueKind]>> = {
  'time-offset': [2, 'number32'],
  router: [3, 'addresses'],
  'time-server': [4, 'addresses'],
  'dns-server': [6, 'addresses'],
  'log-server': [7, 'addresses'],
  'lpr-server': [9, 'addresses'],
  'boot-file-size': [13, 'number16'],
  'swap-server': [16, 'addresses'],
  'root-path': [17, 'text'],
  'extension-path': [18, 'text'],
  'default-ttl': [23, 'number8'],
  'arp-timeout': [35, 'number32'],
  'tcp-ttl': [37, 'number8'],
  'tcp-keepalive': [38, 'number32'],
  'nis-domain': [40, 'text'],
  'nis-server': [41, 'addresses'],
  'ntp-server': [42, 'addresses'],
  'netbios-ns': [44, 'addresses'],
  'netbios-dd': [45, 'addresses'],
  'netbios-nodetype': [46, 'number8'],
  'netbios-scope': [47, 'text'],
  'x-windows-fs': [48, 'addresses'],
  'x-windows-dm': [49, 'addresses'],
  'smtp-server': [69, 'addresses'],
  'pop3-server': [70, 'addresses'],
  'nntp-server': [71, 'addresses'],
  'irc-server': [74, 'addresses'],
  'posix-timezone': [100, 'text'],
  'tzdb-timezone': [101, 'text'],
  wpad: [252, 'text'],
};

/** Why an option is not for this list: it follows from other keys, or is the protocol's own. */
const managed: Readonly<Record<number, string>> = {
  1: 'the netmask follows from "addresses"',
  12: 'a name is given in "dhcp.hosts"',
  15: 'the domain is "dns.domain"',
  26: 'the MTU is "mtu"',
  28: 'the broadcast address follows from "addresses"',
  51: 'the time of a lease is "dhcp.lease"',
  66: 'a boot server is "dhcp.tftp"',
  67: 'a boot file is "dhcp.tftp.file"',
  119: 'the search list is "dns.search"',
};
const managedNames: Readonly<Record<string, number>> = {
  netmask: 1,
  hostname: 12,
  'domain-name': 15,
  mtu: 26,
  broadcast: 28,
  'lease-time': 51,
  'server-ip-address': 66,
  'tftp-server': 66,
  'bootfile-name': 67,
  'domain-search': 119,
};
/** Of the exchange itself. */
const protocolCodes = new Set([50, 52, 53, 54, 55, 56, 57, 58, 59, 61, 82]);

export const dhcpOptionNames: readonly string[] = Object.keys(known);

export function parseOptionName(option: string): Parsed<{ readonly code: number; readonly kind?: ValueKind }> {
  const code = codeOf(option);
  if (code === undefined) return { fault: unknownOption(option) };
  const why = managed[code] ?? (protocolCodes.has(code) ? "it is the protocol's own" : undefined);
  if (why !== undefined) return { fault: `the DHCP option ${option} is not given here: ${why}` };
  const kind = Object.values(known).find(([other]) => other === code)?.[1];
  return { value: { code, ...(kind !== undefined && { kind }) } };
}

function codeOf(option: string): number | undefined {
  if (/^(0|[1-9][0-9]{0,3})$/.test(option)) {
    const code = Number(option);
    return code >= 1 && code <= 254 ? code : undefined;
  }
  if (Object.hasOwn(known, option)) return known[option]?.[0];
  return Object.hasOwn(managedNames, option) ? managedNames[option] : undefined;
}

function unknownOption(option: string): string {
  const near = closestOf(option, dhcpOptionNames);
  const advice =
    near === undefined ? ': a number from 1 to 254, or a name such as ntp-server' : `, did you mean "${near}"?`;
  return `${truncated(option)} is no DHCP option${advice}`;
}

export function encodeDhcpOption({ option, value }: DhcpOption): Parsed<EncodedOption> {
  const name = parseOptionName(option);
  if ('fault' in name) return name;
  const { code, kind = guessKind(value) } = name.value;
  const bytes =
    kind === 'bytes' ? { value: value.split(':').map((pair) => Number.parseInt(pair, 16)) } : encode(kind, value);
  if ('fault' in bytes) return { fault: `the DHCP option ${option}: ${bytes.fault}` };
  if (bytes.value.length > 255)
    return { fault: `the DHCP option ${option} has ${bytes.value.length} bytes: at most 255` };
  return { value: { code, hex: Buffer.from(bytes.value).toString('hex') } };
}

/** Of an option that is not known, as dnsmasq does it: addresses, bytes such as 01:ff, or text. */
function guessKind(value: string): ValueKind | 'bytes' {
  if (value.split(',').every((part) => parseAddress(part.trim())?.family === 4)) return 'addresses';
  return /^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+$/.test(value) ? 'bytes' : 'text';
}

const widths = { number8: 1, number16: 2, number32: 4 } as const;

function encode(kind: ValueKind, value: string): Parsed<readonly number[]> {
  switch (kind) {
    case 'addresses':
      return encodeAddresses(value.split(',').map((part) => part.trim()));
    case 'text':
      return { value: [...Buffer.from(value, 'latin1')] };
    case 'number8':
    case 'number16':
    case 'number32':
      return encodeNumber(value, widths[kind]);
  }
}

function encodeAddresses(parts: readonly string[]): Parsed<readonly number[]> {
  const wrong = parts.find((part) => parseAddress(part)?.family !== 4);
  if (wrong !== undefined) return { fault: `${truncated(wrong)} is no IPv4 address` };
  return { value: parts.flatMap((part) => (canonicalAddress(part) ?? '').split('.').map(Number)) };
}

function encodeNumber(value: string, width: 1 | 2 | 4): Parsed<readonly number[]> {
  const number = /^(0|[1-9][0-9]{0,9})$/.test(value) ? Number(value) : -1;
  if (number < 0 || number >= 256 ** width) {
    return { fault: `${truncated(value)} is no whole number from 0 to ${256 ** width - 1}` };
  }
  return { value: Array.from({ length: width }, (_, index) => Math.floor(number / 256 ** (width - 1 - index)) % 256) };
}
