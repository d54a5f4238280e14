/** Faults of a network's definition that take more than one key to see. Nothing of the host is looked at. */
import { isIpLiteral } from '../profile/address.ts';
import type { LineOf, WrittenMap } from '../profile/definition.ts';
import { forwardFaults } from '../profile/forward-faults.ts';
import type { DocumentPath, PathFault } from '../profile/yaml-document.ts';
import { parseAddress, subnetsOverlap, type Subnet } from '../subnet.ts';
import { parseLease } from './address-text.ts';
import { isHarmless } from './harmless.ts';
import { layoutOf, type NetworkLayout } from './layout.ts';
import {
  valueAt,
  writtenAddresses,
  writtenForwards,
  writtenHosts,
  writtenNamed,
  writtenRanges,
  type WrittenAddress,
  type WrittenHost,
  type WrittenRange,
} from './written.ts';

export interface NetworkConsistency {
  readonly written: WrittenMap;
  readonly name: string;
  readonly lineOf: LineOf;
}

interface Look {
  readonly options: NetworkConsistency;
  readonly addresses: readonly WrittenAddress[];
  readonly ranges: readonly WrittenRange[];
  readonly hosts: readonly WrittenHost[];
  readonly layout: NetworkLayout;
  /** Those that are written, and the one that follows from the name. */
  readonly subnets: readonly Subnet[];
}

export function networkFaults(options: NetworkConsistency): PathFault[] {
  const { written, name, lineOf } = options;
  const addresses = writtenAddresses(written);
  const ranges = writtenRanges(written);
  const hosts = writtenHosts(written);
  const layout = layoutOf({
    name,
    addresses: addresses.map((one) => one.written),
    dhcp: { ranges, hosts: hosts.flatMap(({ ip }) => (ip === undefined ? [] : [{ ip }])) },
    dns: { hosts: writtenNamed(written) },
    forwards: writtenForwards(written).map(({ forward }) => forward),
  });
  const look: Look = {
    options,
    addresses,
    ranges,
    hosts,
    layout,
    subnets: [...addresses.map(({ subnet }) => subnet), ...(layout.derived ? [layout.subnet] : [])],
  };
  return [
    ...addressFaults(look),
    // where no address could be read, what lies in it cannot be said
    ...(addresses.length === 0 && Array.isArray(written['addresses']) && written['addresses'].length > 0
      ? []
      : [...rangeFaults(look), ...hostPlaceFaults(look), ...guestFaults(look)]),
    ...hostFaults(look),
    ...forwardFaults(writtenForwards(written), lineOf),
    ...leaseFaults(written),
    ...modeFaults(written),
    ...mtuFaults(look),
  ];
}

const at = (path: DocumentPath, message: string): PathFault => ({ path, at: 'value', message });

function addressFaults({ addresses, options: { lineOf } }: Look): PathFault[] {
  return addresses.flatMap(({ subnet, path, written }, index) => {
    const other = addresses.slice(0, index).find((before) => subnetsOverlap(before.subnet, subnet));
    if (other === undefined) return [];
    return [at(path, `${written} lies in the network of ${other.written} on line ${lineOf(other.path)}`)];
  });
}

function rangeFaults(look: Look): PathFault[] {
  const { ranges, layout, options } = look;
  const faults = ranges.flatMap((range, index): PathFault[] => {
    const { from, to, path } = range;
    const subnet = look.subnets.find((one) => one.contains(from) && one.contains(to));
    if (subnet === undefined) return [at(path, `${from}-${to} does not lie in ${networksOf(look)}`)];
    const taken = reservedIn(range, { subnet, look });
    if (taken !== undefined) return [at(path, `${from}-${to} holds ${taken}`)];
    const other = ranges.slice(0, index).find((before) => spansMeet(before, range));
    if (other === undefined) return [];
    return [at(path, `${from}-${to} overlaps with ${other.from}-${other.to} on line ${options.lineOf(other.path)}`)];
  });
  if (faults.length > 0 || layout.dnsServer !== undefined) return faults;
  const full = look.ranges.length > 0 ? ['dhcp', 'ranges'] : ['addresses'];
  return [at(full, `no address of ${layout.subnet.cidr} is left for the name server: leave one out of the ranges`)];
}

function networksOf({ subnets, layout }: Look): string {
  const derived = layout.derived ? ', which follows from the name of the network: write "addresses" for another' : '';
  return subnets.map(({ cidr }) => cidr).join(' or ') + derived;
}

interface InSubnet {
  readonly subnet: Subnet;
  readonly look: Pick<Look, 'addresses' | 'layout'>;
}

function reservedIn(range: WrittenRange, { subnet, look }: InSubnet): string | undefined {
  const [first, last] = [valueOf(range.from), valueOf(range.to)];
  const gateways = [
    look.layout.gateway,
    ...look.addresses.map(({ written }) => written.slice(0, written.indexOf('/'))),
  ];
  const gateway = gateways.find(
    (one) => parseAddress(one)?.family === subnet.family && isBetween(valueOf(one), first, last),
  );
  if (gateway !== undefined) return `${gateway}, the gateway`;
  if (first === subnet.first) return `${range.from}, the address of the network itself`;
  return subnet.family === 4 && last === subnet.last ? `${range.to}, the broadcast address` : undefined;
}

const isBetween = (value: bigint, first: bigint, last: bigint): boolean => value >= first && value <= last;
const valueOf = (address: string): bigint => parseAddress(address)?.value ?? -1n;

function spansMeet(a: WrittenRange, b: WrittenRange): boolean {
  if (parseAddress(a.from)?.family !== parseAddress(b.from)?.family) return false;
  return valueOf(a.from) <= valueOf(b.to) && valueOf(b.from) <= valueOf(a.to);
}

function hostPlaceFaults(look: Look): PathFault[] {
  return look.hosts.flatMap(({ ip, path }) => {
    const fault = ip === undefined ? undefined : faultOfPlace(ip, look);
    return fault === undefined ? [] : [at([...path, 'ip'], fault)];
  });
}

/** Why no guest can have an address; undefined: one can. */
function faultOfPlace(ip: string, look: Look): string | undefined {
  const subnet = look.subnets.find((one) => one.contains(ip));
  if (subnet === undefined) return `${ip} does not lie in ${networksOf(look)}`;
  const taken = reservedIn({ path: [], from: ip, to: ip }, { subnet, look });
  return taken === undefined ? undefined : `no guest can have ${taken}`;
}

/** Literal guests of forwards, and those that nobody could find. */
function guestFaults(look: Look): PathFault[] {
  const { written } = look.options;
  return writtenForwards(written).flatMap(({ forward: { guest }, path }) => {
    if (isIpLiteral(guest)) {
      const fault = faultOfPlace(guest, look);
      return fault === undefined ? [] : [at(path, fault)];
    }
    if (written['dhcp'] !== false) return [];
    return [at(path, `without DHCP nobody knows the address of ${guest}: write an address instead of the name`)];
  });
}

function hostFaults({ hosts, options: { lineOf } }: Look): PathFault[] {
  const choices = hosts.flatMap(({ vm, mac, named, path }): PathFault[] => {
    if (vm !== undefined && mac !== undefined) return [at(path, 'either "vm" or "mac" says who it is, not both')];
    return named ? [] : [at(path, 'who it is must be said: "vm" or "mac"')];
  });
  const doubles = (['ip', 'vm', 'mac'] as const).flatMap((key) => {
    const first = new Map<string, DocumentPath>();
    return hosts.flatMap(({ [key]: value, ip, path }): PathFault[] => {
      // one of each family may be somebody's
      const whose = `${key === 'ip' ? '' : familyOf(ip)} ${value}`;
      const before = value === undefined ? undefined : first.get(whose);
      if (value !== undefined && before === undefined) first.set(whose, path);
      if (before === undefined) return [];
      return [at([...path, key], `${value} stands on line ${lineOf([...before, key])} already`)];
    });
  });
  return [...choices, ...doubles];
}

const familyOf = (ip: string | undefined): number => (ip?.includes(':') === true ? 6 : 4);

function leaseFaults(written: WrittenMap): PathFault[] {
  const [lease, most] = ['lease', 'maxLease'].map((key) => {
    const value = valueAt(written, ['dhcp', key]);
    const parsed = typeof value === 'string' || typeof value === 'number' ? parseLease(value) : undefined;
    return parsed !== undefined && 'value' in parsed ? parsed.value : undefined;
  });
  if (lease === undefined || most === undefined || most >= lease) return [];
  return [at(['dhcp', 'maxLease'], 'the longest lease is shorter than "lease"')];
}

/** Keys that belong to one way out. */
const ofMode: readonly {
  readonly path: readonly string[];
  readonly mode: string;
  readonly also?: readonly string[];
  readonly why: string;
}[] = [
  { path: ['nat'], mode: 'nat', why: 'without NAT there is nothing to choose' },
  { path: ['route'], mode: 'route', why: 'only there packets go on as they are' },
  {
    path: ['bridge', 'uplink'],
    mode: 'bridge',
    also: ['macvtap', 'hostdev'],
    why: 'only there guests share an interface of the host',
  },
  { path: ['links'], mode: 'bridge', why: 'only there a link becomes a port' },
  { path: ['vlan'], mode: 'hostdev', why: 'only a virtual function has one that its guest does not get out of' },
  { path: ['hostAccess'], mode: 'macvtap', why: 'the host reaches its guests anyway in all other modes that let it' },
];

function modeFaults(written: WrittenMap): PathFault[] {
  const mode = written['forward'] ?? 'nat';
  return ofMode.flatMap(({ path, mode: needed, also, why }): PathFault[] => {
    const value = valueAt(written, path);
    if (isHarmless(value) || mode === needed || typeof mode !== 'string' || also?.includes(mode) === true) return [];
    return [{ path, at: 'key', message: `${path.at(-1)} belongs to forward: ${needed}, and this is ${mode}: ${why}` }];
  });
}

function mtuFaults({ addresses, options: { written } }: Look): PathFault[] {
  const { mtu } = written;
  if (typeof mtu !== 'number' || mtu >= 1280 || !addresses.some(({ subnet }) => subnet.family === 6)) return [];
  return [at(['mtu'], `${mtu} is too small for IPv6: at least 1280`)];
}
