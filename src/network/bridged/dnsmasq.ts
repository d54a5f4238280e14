/**
 * What dnsmasq is told of a network: DHCP, names, router advertisements, TFTP. Built from checked values, a line for each; what is no plain word there
 * gets no line. Pure. https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html
 */
import type { IfName } from '../../names.ts';
import { parseAddress, parseInterfaceAddress } from '../../subnet.ts';
import { encodeDhcpOption } from '../dhcp-options.ts';
import type { NetworkLayout } from '../layout.ts';
import type { Dhcp, Network } from '../network.ts';
import { forever, isHostLabel } from './leases.ts';

export interface DnsmasqInput {
  readonly network: Network;
  readonly layout: NetworkLayout;
  readonly bridge: IfName;
  /** Absolute. `hosts`: fixed addresses, read again on SIGHUP; `leases`: what was handed out; `pid`: there when it is ready. */
  readonly files: { readonly hosts: string; readonly leases: string; readonly pid: string };
}

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
    ...tftpLines(network.dhcp),
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
    ...dns.records.txt.map(({ name, text }) => `txt-record=${name},${quoted(text)}`),
    ...dns.records.srv.map(({ name, target, port }) => `srv-host=${name},${target},${port}`),
  ];
}

/** Names without a dot are known with the domain too. */
const withDomain = (name: string, domain: string | undefined): string[] =>
  domain === undefined || name.includes('.') ? [name] : [`${name}.${domain}`, name];

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

function dhcpLines({ network, layout, bridge, files }: DnsmasqInput): string[] {
  const { dhcp, dns, mtu, forward } = network;
  const six = network.addresses.flatMap((written) => {
    const parsed = parseInterfaceAddress(written);
    return parsed?.subnet.family === 6 ? [parsed.subnet] : [];
  });
  if (dhcp === undefined) {
    return six.length === 0
      ? []
      : ['enable-ra', ...six.map(({ prefix }) => `dhcp-range=::,constructor:${bridge},ra-only,${prefix}`)];
  }
  const lease = leaseOf(dhcp.leaseS);
  const written6 = dhcp.ranges.filter(({ from }) => parseAddress(from)?.family === 6);
  const search = [...new Set([...(dns.domain === undefined ? [] : [dns.domain]), ...dns.search])];
  return [
    'dhcp-authoritative',
    // an address that qrun gives is nobody else's: to ask first whether somebody answers there takes 3 s
    'no-ping',
    'dhcp-no-override',
    `dhcp-leasefile=${files.leases}`,
    `dhcp-hostsfile=${files.hosts}`,
    'dhcp-lease-max=65536',
    ...layout.ranges.map(({ from, to }) => `dhcp-range=${from},${to},${netmaskOf(layout.subnet.prefix)},${lease}`),
    // fixed addresses outside of the ranges
    `dhcp-range=${layout.subnet.at(0)},static,${netmaskOf(layout.subnet.prefix)},${lease}`,
    ...(forward === 'isolated' ? ['dhcp-option=3'] : []),
    ...(search.length === 0 ? [] : [`dhcp-option=option:domain-search,${search.join(',')}`]),
    ...(mtu === undefined ? [] : [`dhcp-option-force=26,${mtu}`]),
    ...dhcp.options.map(optionLine),
    ...(six.length === 0 ? [] : ['enable-ra']),
    ...six.map((subnet) => {
      const range = written6.find(({ from }) => subnet.contains(from));
      return range === undefined
        ? `dhcp-range=${subnet.at(0)},ra-stateless,${subnet.prefix},${lease}`
        : `dhcp-range=${range.from},${range.to},${subnet.prefix},${lease}`;
    }),
  ];
}

const leaseOf = (seconds: number): string => (seconds >= forever ? 'infinite' : String(Math.max(120, seconds)));

/** As bytes: what a value may hold is no word of dnsmasq's. */
function optionLine(option: Dhcp['options'][number]): string {
  const encoded = encodeDhcpOption(option);
  if ('fault' in encoded) throw new Error(encoded.fault);
  const { code, hex } = encoded.value;
  const bytes = hex.match(/../g) ?? [];
  // one byte alone is read as a number
  return `dhcp-option-force=${code},${bytes.length === 1 ? Number.parseInt(hex, 16) : bytes.join(':')}`;
}

function tftpLines(dhcp: Dhcp | undefined): string[] {
  if (dhcp?.tftp === undefined) return [];
  const { root, file } = dhcp.tftp;
  return ['enable-tftp', `tftp-root=${root}`, ...(file === undefined ? [] : [`dhcp-boot=${file}`])];
}

const netmaskOf = (prefix: number): string =>
  [24, 16, 8, 0].map((shift) => (prefix === 0 ? 0 : ((-1 << (32 - prefix)) >>> shift) & 255)).join('.');

export interface FixedHost {
  readonly mac: string;
  readonly ip: string;
  /** The name that others know it by; one that is no host name is left out. */
  readonly name?: string;
}

/** The file of fixed addresses. Of two with one address or one MAC the first counts. */
export function renderDnsmasqHosts(hosts: readonly FixedHost[]): string {
  const taken = new Set<string>();
  const lines = hosts.flatMap(({ mac, ip, name }) => {
    if (taken.has(mac) || taken.has(ip)) return [];
    taken.add(mac).add(ip);
    const address = parseAddress(ip)?.family === 6 ? `[${ip}]` : ip;
    const known = name !== undefined && isHostLabel(name) && !taken.has(name) ? [name] : [];
    for (const one of known) taken.add(one);
    return [checkedLine([mac, address, ...known].join(','))];
  });
  return lines.map((line) => `${line}\n`).join('');
}
