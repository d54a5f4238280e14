/**
 * What dnsmasq is told of a network: DHCP, names, router advertisements, TFTP. Built from checked values, a line for each; what is no plain word there
 * gets no line. Pure. https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html
 */
import type { IfName } from '../../names.ts';
import { parseAddress, parseInterfaceAddress, renderAddress, type Subnet } from '../../subnet.ts';
import { encodeDhcpOption, type EncodedOption } from '../dhcp-options.ts';
import type { NetworkLayout } from '../layout.ts';
import type { Dhcp, Network } from '../network.ts';
import { forever, isHostLabel, shortestDnsmasqLeaseS } from './leases.ts';

export interface DnsmasqInput {
  readonly network: Network;
  readonly layout: NetworkLayout;
  readonly bridge: IfName;
  /**
   * Absolute. `hosts`: fixed addresses, read again on SIGHUP; where dhcpd hands them out, `ADDRESS NAME` in place of them. `leases`: what was handed out;
   * `names`: of those addresses, where guests of users might call themselves so. `pid`: there when it is ready.
   */
  readonly files: { readonly hosts: string; readonly names?: string; readonly leases: string; readonly pid: string };
}

/** Who answers DHCP in IPv4; router advertisements and DHCPv6 are always dnsmasq's. */
export const dhcpServerOf = ({ dhcp }: Pick<Network, 'dhcp'>): 'dnsmasq' | 'dhcpd' | undefined =>
  dhcp === undefined ? undefined : dhcp.server === 'dhcpd' ? 'dhcpd' : 'dnsmasq';

/** Where users have guests: what one calls itself is not to be taken for the name of another that has not come yet. */
export const guardsNames = (network: Pick<Network, 'dhcp' | 'ports'>): boolean =>
  network.ports !== undefined && dhcpServerOf(network) === 'dnsmasq';

/** The whole of its configuration file. */
export function renderDnsmasq(input: DnsmasqInput): string {
  const { network } = input;
  const lines = [
    'keep-in-foreground',
    // one process for one bridge: it answers nobody else, whatever comes up later
    'bind-dynamic',
    `interface=${input.bridge}`,
    'except-interface=lo',
    `pid-file=${input.files.pid}`,
    'log-facility=-',
    'quiet-dhcp',
    'quiet-dhcp6',
    'quiet-ra',
    ...nameLines(input),
    ...dhcpLines(input),
    ...tftpLines(network),
  ];
  return `${lines.map(checkedLine).join('\n')}\n`;
}

/** A line is a line: nothing that was written can begin another one. */
function checkedLine(line: string): string {
  if (/[\p{Cc}\u2028\u2029]/u.test(line))
    throw new Error(`a line of dnsmasq's configuration is more than a line: ${JSON.stringify(line)}`);
  return line;
}

function nameLines({ network }: DnsmasqInput): string[] {
  const { dns, forward } = network;
  const isolated = forward === 'isolated';
  return [
    'no-hosts',
    'domain-needed',
    'bogus-priv',
    // an isolated network's names are its own
    ...(isolated || dns.forwarders.length > 0 ? ['no-resolv'] : []),
    ...(isolated ? [] : dns.forwarders.map((address) => `server=${address}`)),
    ...(dns.domain === undefined ? [] : [`domain=${dns.domain}`, `local=/${dns.domain}/`, 'expand-hosts']),
    ...dns.hosts.map(
      ({ ip, names }) => `host-record=${[...names.flatMap((name) => withDomain(name, dns.domain)), ip].join(',')}`,
    ),
    ...dns.records.txt.flatMap(({ name, text }) =>
      withDomain(name, dns.domain).map((known) => `txt-record=${known},${quoted(text)}`),
    ),
    ...dns.records.srv.map(
      ({ name, target, port }) => `srv-host=${name},${withDomain(target, dns.domain)[0] ?? target},${port}`,
    ),
  ];
}

/** Names without a dot are known with the domain too. */
const withDomain = (name: string, domain: string | undefined): string[] =>
  domain === undefined || name.includes('.') ? [name] : [`${name}.${domain}`, name];

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

function dhcpLines(input: DnsmasqInput): string[] {
  const { network, layout, files } = input;
  const { dhcp, dns, mtu, forward } = network;
  const subnets = network.addresses.flatMap((written) => parseInterfaceAddress(written)?.subnet ?? []);
  const six = subnets.filter(({ family }) => family === 6);
  if (dhcp === undefined) return advertLines(input, six);
  if (dhcpServerOf(network) === 'dhcpd') return [`addn-hosts=${files.hosts}`, ...advertLines(input, six)];
  const search = searchOf(dns);
  const four = [...subnets.filter(({ family }) => family === 4), ...(layout.derived ? [layout.subnet] : [])];
  return [
    'dhcp-authoritative',
    // an address that qrun gives is nobody else's: to ask first whether somebody answers there takes 3 s
    'no-ping',
    'dhcp-no-override',
    `dhcp-leasefile=${files.leases}`,
    `dhcp-hostsfile=${files.hosts}`,
    // no lease is given a name that stands there with another address
    ...(guardsNames(network) && files.names !== undefined ? [`addn-hosts=${files.names}`] : []),
    'dhcp-lease-max=65536',
    ...rangeLines(dhcp, [
      ...layout.ranges.map(({ from, to }) => {
        const { prefix } = four.find((subnet) => subnet.contains(from)) ?? layout.subnet;
        return `${from},${to},${netmaskOf(prefix)}`;
      }),
      // fixed addresses outside of the ranges
      ...four.map((subnet) => `${subnet.at(0)},static,${netmaskOf(subnet.prefix)}`),
    ]),
    ...(forward === 'isolated' ? ['dhcp-option=3'] : []),
    ...(search.length === 0 ? [] : [`dhcp-option=option:domain-search,${search.join(',')}`]),
    ...(mtu === undefined ? [] : [`dhcp-option-force=26,${mtu}`]),
    ...dhcp.options.map(optionLine),
    ...advertLines(input, six),
  ];
}

/** What dnsmasq knows of time is the longest: who asks for a time (option 51) has ranges of his own where he may get more than who does not. */
function rangeLines({ leaseS, maxLeaseS = leaseS }: Dhcp, ranges: readonly string[]): string[] {
  const [lease, longest] = [leaseOf(leaseS), leaseOf(maxLeaseS)];
  if (lease === longest) return ranges.map((range) => `dhcp-range=${range},${lease}`);
  return [
    'dhcp-match=set:asks,51',
    ...ranges.flatMap((range) => [`dhcp-range=tag:!asks,${range},${lease}`, `dhcp-range=tag:asks,${range},${longest}`]),
  ];
}

export const searchOf = ({ domain, search }: Network['dns']): string[] => [
  ...new Set([...(domain === undefined ? [] : [domain]), ...search]),
];

export const advertisedPrefix = 64;

/** IPv6: guests make their addresses themselves, unless there are ranges; fixed ones they get by DHCPv6 besides. */
function advertLines({ network, bridge, files }: DnsmasqInput, all: readonly Subnet[]): string[] {
  const { dhcp, dns, forward } = network;
  // in others guests cannot make addresses themselves
  const six = dhcp === undefined ? all.filter(({ prefix }) => prefix === advertisedPrefix) : all;
  if (six.length === 0) return [];
  const lease = leaseOf(dhcp?.leaseS ?? 0);
  const search = searchOf(dns);
  return [
    'enable-ra',
    // it has a file of its own for all that it is not told of one, the host's other dnsmasq too
    ...(dhcpServerOf(network) === 'dnsmasq' ? [] : [`dhcp-leasefile=${files.leases}`, 'dhcp-lease-max=65536']),
    ...(search.length === 0 ? [] : [`dhcp-option=option6:domain-search,${search.join(',')}`]),
    // a prefix, and no way out
    ...(forward === 'isolated' ? [`ra-param=${bridge},0,0`] : []),
    ...six.flatMap((subnet) => {
      const { prefix } = subnet;
      if (dhcp === undefined) return [`dhcp-range=${subnet.at(0)},ra-only,${prefix}`];
      const ranges = dhcp.ranges.filter(({ from }) => subnet.contains(from));
      if (ranges.length > 0) return ranges.map(({ from, to }) => `dhcp-range=${from},${to},${prefix},${lease}`);
      // too small a network for addresses of the guests' own making
      if (prefix > advertisedPrefix)
        return [`dhcp-range=${subnet.at(1)},${renderAddress({ family: 6, value: subnet.last })},${prefix},${lease}`];
      const fixed = dhcp.hosts.some(({ ip }) => subnet.contains(ip));
      return [`dhcp-range=${subnet.at(0)},${fixed ? 'static,slaac' : 'ra-stateless'},${prefix},${lease}`];
    }),
  ];
}

const leaseOf = (seconds: number): string =>
  seconds >= forever ? 'infinite' : String(Math.max(shortestDnsmasqLeaseS, seconds));

/** Options that it knows to be lists of addresses, and takes nothing else for. */
const addressCodes = new Set([3, 6, 7, 9, 16, 21, 32, 33, 41, 42, 44, 45, 48, 49, 65, 68, 69, 70, 71, 74, 150]);
/** And those that are text to it, whatever they look like. */
const textCodes = new Set([17, 18, 40, 64, 100, 101]);
const vendorCode = 43;

/** Why dnsmasq cannot tell an option; undefined: it can. */
export function faultOfDnsmasqOption({ code, hex }: EncodedOption): string | undefined {
  if (hex === '') return 'it is empty';
  if (addressCodes.has(code) && hex.length % 8 !== 0) return 'dnsmasq takes addresses for it and nothing else';
  if (textCodes.has(code) && /[^ -~]|["\\]/.test(textIn(hex))) return 'dnsmasq takes text for it and nothing else';
  return code === vendorCode && hex.length === 2 ? 'it has two bytes at least' : undefined;
}

/** As bytes: what a value may hold is no word of dnsmasq's. */
function optionLine(option: Dhcp['options'][number]): string {
  const encoded = encodeDhcpOption(option);
  const fault = 'fault' in encoded ? encoded.fault : faultOfDnsmasqOption(encoded.value);
  if ('fault' in encoded || fault !== undefined) throw new Error(fault);
  const { code, hex } = encoded.value;
  return `dhcp-option-force=${code},${textCodes.has(code) ? quoted(textIn(hex)) : addressCodes.has(code) ? addressesOf(hex) : bytesOf(hex)}`;
}

const textIn = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1');

const addressesOf = (hex: string): string =>
  (hex.match(/.{8}/g) ?? []).map((four) => [...Buffer.from(four, 'hex')].join('.')).join(',');

/** One byte alone is read as a number. */
const bytesOf = (hex: string): string =>
  hex.length === 2 ? String(Number.parseInt(hex, 16)) : (hex.match(/../g) ?? []).join(':');

function tftpLines(network: Network): string[] {
  const { dhcp } = network;
  if (dhcp?.tftp === undefined) return [];
  const { root, file } = dhcp.tftp;
  return [
    'enable-tftp',
    `tftp-root=${quoted(root)}`,
    ...(file === undefined || dhcpServerOf(network) === 'dhcpd' ? [] : [`dhcp-boot=${quoted(file)}`]),
  ];
}

export const netmaskOf = (prefix: number): string =>
  [24, 16, 8, 0].map((shift) => (prefix === 0 ? 0 : ((-1 << (32 - prefix)) >>> shift) & 255)).join('.');

export interface FixedHost {
  readonly mac: string;
  readonly ip: string;
  /** The name that others know it by; one that is no host name is left out. */
  readonly name?: string;
}

/** The file of fixed addresses: a line for each MAC. Of two with one address, or of one family with one MAC, the first counts. */
export function renderDnsmasqHosts(hosts: readonly FixedHost[]): string {
  const taken = new Set<string>();
  const lines = new Map<string, { readonly ips: string[]; name?: string }>();
  for (const { mac, ip, name } of hosts) {
    const family = parseAddress(ip)?.family ?? 4;
    if (taken.has(ip) || taken.has(`${mac} ${family}`)) continue;
    taken.add(ip).add(`${mac} ${family}`);
    const line: { readonly ips: string[]; name?: string } = lines.get(mac) ?? { ips: [] };
    lines.set(mac, line);
    line.ips.push(family === 6 ? `[${ip}]` : ip);
    if (name === undefined || line.name !== undefined || !isHostLabel(name) || taken.has(name)) continue;
    taken.add(name);
    line.name = name;
  }
  return [...lines]
    .map(([mac, { ips, name }]) => `${checkedLine([mac, ...ips, ...(name === undefined ? [] : [name])].join(','))}\n`)
    .join('');
}

/** Names and addresses alone, as in /etc/hosts: of two of one name the first counts, with one address of each family. */
export function renderNames(hosts: readonly FixedHost[]): string {
  const taken = new Map<string, { readonly mac: string; readonly families: Set<number> }>();
  return hosts
    .flatMap(({ mac, ip, name }) => {
      if (name === undefined || !isHostLabel(name)) return [];
      const family = parseAddress(ip)?.family ?? 4;
      const known = taken.get(name) ?? { mac, families: new Set<number>() };
      if (known.mac !== mac || known.families.has(family)) return [];
      taken.set(name, known);
      known.families.add(family);
      return [`${checkedLine(`${ip} ${name}`)}\n`];
    })
    .join('');
}
