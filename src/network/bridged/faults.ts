/** What a network of the host's with a bridge of its own cannot honour: refused with the reason, never ignored. */
import type { WrittenMap } from '../../profile/definition.ts';
import type { PathFault } from '../../profile/yaml-document.ts';
import { parseAddress, subnetsOverlap } from '../../subnet.ts';
import { parseLease } from '../address-text.ts';
import { isHarmless } from '../harmless.ts';
import { valueAt, writtenAddresses, writtenHosts, writtenOptions, writtenRanges } from '../written.ts';
import { advertisedPrefix, faultOfDnsmasqOption } from './dnsmasq.ts';
import { shortestDnsmasqLeaseS } from './leases.ts';

export function bridgedFaults(written: WrittenMap): PathFault[] {
  return [
    ...whoFaults(written),
    ...bridgeNameFaults(written),
    ...serverFaults(written),
    ...optionFaults(written),
    ...prefixFaults(written),
    ...spoofFaults(written),
    ...hostDnsFaults(written),
  ];
}

function whoFaults(written: WrittenMap): PathFault[] {
  const at = (path: readonly string[], message: string): PathFault => ({ path, at: 'key', message });
  const given = ['owner', 'group'].filter((key) => typeof written[key] === 'string');
  if (isHarmless(written['ports']))
    return given.map((key) => at([key], `${key} says who may take ports: write "ports" too`));
  if (given.length === 0 && ['owner', 'group'].every((key) => isHarmless(written[key])))
    return [at(['ports'], 'who may take a port must be said: "owner" or "group"')];
  return given.length === 2 ? [at(['group'], 'either "owner" or "group" says who may take a port, not both')] : [];
}

/** It stands in a list of dnsmasq's, and in the paths of settings. */
export function bridgeNameFaults(written: WrittenMap): PathFault[] {
  const path = ['bridge', 'name'];
  const name = valueAt(written, path);
  if (typeof name !== 'string' || /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) return [];
  return [{ path, at: 'value', message: 'a bridge that qrun makes has a name of letters, digits, "_", "." and "-"' }];
}

function serverFaults(written: WrittenMap): PathFault[] {
  return valueAt(written, ['dhcp', 'server']) === 'dhcpd' ? dhcpdFaults(written) : dnsmasqFaults(written);
}

const dhcpdFour = 'is of IPv6, and dhcpd answers IPv4 alone here: server: dnsmasq hands out both';

/** It makes a record of each of them when it starts: a million take seconds and 350 MB, and are what a /12 has. */
const mostOfDhcpd = 65_536n;

function sizeFaults(written: WrittenMap): PathFault[] {
  const ranges = writtenRanges(written).filter(({ from }) => !isSix(from));
  const four = writtenAddresses(written).find(({ subnet }) => subnet.family === 4);
  const size = ranges.reduce((sum, { from, to }) => sum + valueOf(to) - valueOf(from) + 1n, 0n);
  const whole = ranges.length > 0 || four === undefined ? 0n : four.subnet.last - four.subnet.first + 1n;
  if (size <= mostOfDhcpd && whole <= mostOfDhcpd) return [];
  const why = `dhcpd makes a record of each address that it may give when it starts, and gets ${mostOfDhcpd} at most`;
  return four !== undefined && whole > mostOfDhcpd
    ? [valueFault(four.path, `${four.written}: ${why}: write "dhcp.ranges"`)]
    : [valueFault(['dhcp', 'ranges'], `${size} addresses: ${why}`)];
}

const valueOf = (ip: string): bigint => parseAddress(ip)?.value ?? 0n;

function dhcpdFaults(written: WrittenMap): PathFault[] {
  return [
    ...sizeFaults(written),
    ...writtenRanges(written).flatMap(({ from, to, path }): PathFault[] =>
      isSix(from) ? [{ path, at: 'value', message: `${from}-${to} ${dhcpdFour}` }] : [],
    ),
    ...writtenHosts(written).flatMap(({ ip, path }): PathFault[] =>
      isSix(ip) ? [{ path: [...path, 'ip'], at: 'value', message: `${ip} ${dhcpdFour}` }] : [],
    ),
  ];
}

const isSix = (ip: string | undefined): boolean => ip?.includes(':') === true;

/** It lends for two minutes at least, whatever it is told. */
function dnsmasqFaults(written: WrittenMap): PathFault[] {
  const path = ['dhcp', 'lease'];
  const value = valueAt(written, path);
  const lease = typeof value === 'string' || typeof value === 'number' ? parseLease(value) : undefined;
  const isShort = lease !== undefined && 'value' in lease && lease.value < shortestDnsmasqLeaseS;
  return [
    ...(isShort ? [valueFault(path, `${String(value)} is too short for dnsmasq, which lends for 2m at least`)] : []),
    ...writtenOptions(written).flatMap(({ code, hex, path: at }) => {
      const why = hex === undefined ? undefined : faultOfDnsmasqOption({ code, hex });
      return why === undefined ? [] : [valueFault([...at, 'value'], `the DHCP option ${code}: ${why}`)];
    }),
  ];
}

const valueFault = (path: PathFault['path'], message: string): PathFault => ({ path, at: 'value', message });

/** dnsmasq tells one of two, and dhcpd the other. */
function optionFaults(written: WrittenMap): PathFault[] {
  const seen = new Set<number>();
  return writtenOptions(written).flatMap(({ code, path }): PathFault[] => {
    if (!seen.has(code)) {
      seen.add(code);
      return [];
    }
    return [{ path: [...path, 'option'], at: 'value', message: `the option ${code} is given twice` }];
  });
}

const hasDhcp = (written: WrittenMap): boolean =>
  (written['dhcp'] ?? ['nat', 'isolated'].includes(wordOf(written['forward']))) !== false;

/** Larger ones dnsmasq does not know. */
function prefixFaults(written: WrittenMap): PathFault[] {
  if (!hasDhcp(written)) return [];
  const addresses = writtenAddresses(written);
  return addresses.flatMap(({ subnet, path, written: text }, index): PathFault[] => {
    if (subnet.family === 4 || subnet.prefix >= advertisedPrefix) return [];
    if (addresses.some((other, at) => at !== index && subnetsOverlap(other.subnet, subnet))) return [];
    return [valueFault(path, `${text}: guests get IPv6 addresses in networks of /64 to /126`)];
  });
}

/** The rules know the addresses of a guest before it has asked for one. */
function spoofFaults(written: WrittenMap): PathFault[] {
  if (written['antiSpoof'] !== true) return [];
  if (!hasDhcp(written) && !areAnnounced(writtenAddresses(written))) {
    const message =
      'a guest sends from what DHCP gave it, and this network has none: write "dhcp: true", or leave antiSpoof out';
    return [{ path: ['antiSpoof'], at: 'key', message }];
  }
  const why =
    'with antiSpoof a guest sends from addresses that are its own before it asks, and whose these will be nobody knows: give them out by "dhcp.hosts"';
  const dynamic = writtenRanges(written).filter(({ from }) => isSix(from));
  const small = writtenAddresses(written).filter(
    ({ subnet }) => subnet.family === 6 && subnet.prefix > advertisedPrefix && hasDhcp(written),
  );
  return [
    ...dynamic.map(({ from, to, path }) => valueFault(path, `${from}-${to}: ${why}`)),
    ...small.map(({ written: text, path }) =>
      valueFault(
        path,
        `${text}: in a network that is smaller than /64 all addresses come by DHCPv6, and ${why}, in a /64`,
      ),
    ),
  ];
}

/** All are of IPv6, and guests make their own from what the host announces, and from their MACs: these are known. */
const areAnnounced = (addresses: ReturnType<typeof writtenAddresses>): boolean =>
  addresses.length > 0 && addresses.every(({ subnet }) => subnet.family === 6 && subnet.prefix === advertisedPrefix);

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : 'nat');

function hostDnsFaults(written: WrittenMap): PathFault[] {
  const path = ['hostDns'];
  if (written['hostDns'] !== true || valueAt(written, ['dns', 'domain']) !== undefined) return [];
  return [{ path, at: 'key', message: 'the host asks for names of one domain there: write "dns.domain" too' }];
}
