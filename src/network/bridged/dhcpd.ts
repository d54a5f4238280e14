/**
 * What ISC dhcpd is told of a network, where it hands out addresses in place of dnsmasq: IPv4 alone. Built from checked values; options go as bytes.
 * https://manpages.debian.org/bookworm/isc-dhcp-server/dhcpd.conf.5.en.html
 */
import { parseAddress, parseInterfaceAddress, renderAddress, type Subnet } from '../../subnet.ts';
import { encodeDhcpOption, type EncodedOption } from '../dhcp-options.ts';
import type { AddressRange } from '../address-text.ts';
import type { NetworkLayout } from '../layout.ts';
import type { Dhcp, Network } from '../network.ts';
import { netmaskOf, searchOf, type FixedHost } from './dnsmasq.ts';
import { forever, isHostLabel, type DnsmasqLease } from './leases.ts';

export interface DhcpdInput {
  readonly network: Network;
  readonly layout: NetworkLayout;
  /** Those with a MAC get theirs; those of others are given to nobody. */
  readonly fixed: readonly FixedHost[];
}

const dayS = 86_400;

/** The whole of its configuration file. */
export function renderDhcpd(input: DhcpdInput): string {
  const { network } = input;
  const { dhcp } = network;
  if (dhcp === undefined) throw new Error(`${network.name} has no DHCP`);
  const options = dhcp.options.map(encoded);
  const lines = [
    'authoritative;',
    // an address that qrun gives is nobody else's: to ask first whether somebody answers there takes a second
    'ping-check false;',
    'ddns-update-style none;',
    // of its own accord it lends for five minutes at least
    'min-lease-time 60;',
    `default-lease-time ${dhcp.leaseS};`,
    `max-lease-time ${dhcp.maxLeaseS ?? Math.max(dayS, dhcp.leaseS)};`,
    ...options.map(({ code }) => `option qrun-${code} code ${code} = string;`),
    ...networkLines(network, options),
    `shared-network "${network.name}" {`,
    ...subnetsOf(input).flatMap((one) => subnetLines(one, input, options)),
    '}',
    ...hostLines(input.fixed),
  ];
  return lines.map((line) => `${checkedLine(line)}\n`).join('');
}

function checkedLine(line: string): string {
  if (/[\p{Cc}\u2028\u2029]/u.test(line))
    throw new Error(`a line of dhcpd's configuration is more than a line: ${JSON.stringify(line)}`);
  return line;
}

function encoded(option: Dhcp['options'][number]): EncodedOption {
  const found = encodeDhcpOption(option);
  if ('fault' in found) throw new Error(found.fault);
  return found.value;
}

function networkLines({ dns, mtu, dhcp }: Network, options: readonly EncodedOption[]): string[] {
  const search = searchOf(dns);
  const forced = [...options.map(({ code }) => code), ...(mtu === undefined ? [] : [26])];
  const file = dhcp?.tftp?.file;
  return [
    ...(dns.domain === undefined ? [] : [`option domain-name ${quoted(dns.domain)};`]),
    ...(search.length === 0 ? [] : [`option domain-search ${search.map(quoted).join(', ')};`]),
    ...(mtu === undefined ? [] : [`option interface-mtu ${mtu};`]),
    ...options.map(({ code, hex }) => `option qrun-${code} ${(hex.match(/../g) ?? []).join(':')};`),
    ...(forced.length === 0 ? [] : [`if exists dhcp-parameter-request-list { ${askedFor(forced)} }`]),
    ...(file === undefined ? [] : [`filename ${quoted(file)};`]),
  ];
}

/** A guest is told of them whether it asks or not. */
const askedFor = (codes: readonly number[]): string =>
  `option dhcp-parameter-request-list = concat(${[
    'option dhcp-parameter-request-list',
    ...codes.map((code) => `encode-int(${code}, 8)`),
  ].join(', ')});`;

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

interface OwnSubnet {
  readonly subnet: Subnet;
  /** The host's own address in it. */
  readonly own: string;
}

function subnetsOf({ network, layout }: DhcpdInput): OwnSubnet[] {
  const written = network.addresses.flatMap((cidr): OwnSubnet[] => {
    const parsed = parseInterfaceAddress(cidr);
    return parsed?.subnet.family === 4 ? [{ subnet: parsed.subnet, own: renderAddress(parsed.address) }] : [];
  });
  return layout.derived ? [...written, { subnet: layout.subnet, own: layout.gateway }] : written;
}

function subnetLines(
  { subnet, own }: OwnSubnet,
  { network, layout, fixed }: DhcpdInput,
  options: readonly EncodedOption[],
): string[] {
  const has = (code: number): boolean => options.some((option) => option.code === code);
  const taken = new Set(fixed.map(({ ip }) => ip));
  const ranges = layout.ranges.filter(({ from }) => subnet.contains(from)).flatMap((range) => without(range, taken));
  return [
    `subnet ${subnet.at(0)} netmask ${netmaskOf(subnet.prefix)} {`,
    `option subnet-mask ${netmaskOf(subnet.prefix)};`,
    ...(network.forward === 'isolated' || has(3) ? [] : [`option routers ${own};`]),
    ...(has(6) ? [] : [`option domain-name-servers ${own};`]),
    ...(network.dhcp?.tftp === undefined ? [] : [`next-server ${own};`]),
    ...ranges.map(({ from, to }) => `range ${from} ${to};`),
    '}',
  ];
}

/** dhcpd gives a fixed address of a range to anybody: it must not be in one. */
function without({ from, to }: AddressRange, taken: ReadonlySet<string>): AddressRange[] {
  const [first, last] = [valueOf(from), valueOf(to)];
  const holes = [...taken]
    .map(valueOf)
    .filter((value) => value >= first && value <= last)
    .toSorted((one, other) => (one < other ? -1 : 1));
  const starts = [first, ...holes.map((value) => value + 1n)];
  const ends = [...holes.map((value) => value - 1n), last];
  return starts.flatMap((start, index) => {
    const end = ends[index] ?? last;
    return start > end ? [] : [{ from: four(start), to: four(end) }];
  });
}

const four = (value: bigint): string => renderAddress({ family: 4, value });
const valueOf = (ip: string): bigint => {
  const address = parseAddress(ip);
  return address?.family === 4 ? address.value : -1n;
};

/** Of two with one address or one MAC the first counts. */
function hostLines(fixed: readonly FixedHost[]): string[] {
  const taken = new Set<string>();
  return fixed.flatMap(({ mac, ip, name }, index) => {
    if (taken.has(ip) || taken.has(mac) || valueOf(ip) < 0n) return [];
    taken.add(ip).add(mac);
    if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) return [];
    const known = name !== undefined && isHostLabel(name) ? ` option host-name ${quoted(name)};` : '';
    return [`host h${index} { hardware ethernet ${mac}; fixed-address ${ip};${known} }`];
  });
}

/** Its file of leases, to which it adds: of two of an address the last one counts. Fixed addresses are not in it. */
export function parseDhcpdLeases(text: string): DnsmasqLease[] {
  const found = new Map<string, DnsmasqLease>();
  for (const [, ip = '', body = ''] of text.matchAll(/^lease ([0-9.]+) \{\n(.*?)^\}$/gms)) {
    const lease = leaseOf(ip, body);
    if (lease === undefined) found.delete(ip);
    else found.set(ip, lease);
  }
  return [...found.values()];
}

function leaseOf(ip: string, body: string): DnsmasqLease | undefined {
  const mac = /^ {2}hardware ethernet (([0-9a-f]{2}:){5}[0-9a-f]{2});$/m.exec(body)?.[1];
  if (mac === undefined || !/^ {2}binding state active;$/m.test(body) || parseAddress(ip) === undefined)
    return undefined;
  const ends = /^ {2}ends (never|\d (\d+)\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d));$/m.exec(body);
  if (ends === null) return undefined;
  const [, word, year, month, day, time] = ends;
  const expires = word === 'never' ? forever : Date.parse(`${year}-${month}-${day}T${time}Z`) / 1000;
  if (Number.isNaN(expires)) return undefined;
  const hostName = /^ {2}client-hostname "([^"\\]*)";$/m.exec(body)?.[1] ?? '';
  return { mac, ip, ...(isHostLabel(hostName) && { hostName }), expires };
}
