/**
 * What comes from the ports of guests, before it is bridged to anybody: family bridge. A port is known by its name, for not every kernel can tell which
 * bridge a frame is on (`meta ibrname`). Pure.
 */
import {
  accept,
  addFilledChain,
  addPrefixSet,
  drop,
  field,
  goto,
  is,
  isNot,
  jump,
  meta,
  prefixOf,
  raw,
  type NftCommand,
  type NftExpression,
  type NftTable,
} from '../../plan/nft-commands.ts';
import { parseAddress, renderAddress } from '../../subnet.ts';
import type { BridgedMode } from './mode.ts';

export interface GuestPort {
  readonly device: string;
  /** It sends from this MAC alone. */
  readonly mac?: string;
  /** And from these addresses alone, and from link-local ones that are nobody else's. Undefined: from any. */
  readonly ips?: readonly string[];
}

interface Guarded {
  readonly mode: BridgedMode;
  readonly bridgeMac?: string;
  readonly ports?: readonly GuestPort[];
}

type Rules = readonly (readonly NftExpression[])[];

export function portCommands(
  table: NftTable,
  { mode, bridgeMac, ports = [] }: Guarded,
  priority: number,
): NftCommand[] {
  const locked = ports.filter(({ mac }) => mac !== undefined);
  if (ports.length === 0 || (mode === 'open' && locked.length === 0)) return [];
  const gateway = bridgeMac === undefined ? undefined : linkLocalOf(bridgeMac);
  const hook = { type: 'filter', hook: 'prerouting', priority } as const;
  const iif = meta('iifname');
  const known = (mode === 'open' ? locked : ports).map(({ device }) => device);
  return [
    ...linksOfMacs(
      table,
      locked.flatMap(({ mac }) => mac ?? []),
    ),
    ...addFilledChain(table, { name: 'from_port' }, rogueRules),
    ...locked.flatMap((port, at) => addFilledChain(table, { name: `port_${at}` }, lockRules(port, gateway))),
    ...addFilledChain(table, { name: 'guest_ports', hook }, [
      [is(iif, known), ...inPriorityTag, drop],
      ...(locked.length === 0
        ? []
        : fragmentRules.map((rule) => [
            is(
              iif,
              locked.map(({ device }) => device),
            ),
            ...rule,
          ])),
      ...(mode === 'open' ? [] : [[is(iif, known), jump('from_port')]]),
      ...locked.map(({ device }, at) => [is(iif, device), goto(`port_${at}`)]),
    ]),
  ];
}

const etherType = field('ether', 'type');
/** Behind the MACs and the type of a frame: how a tag or 802.2 begins. */
const behindType: NftExpression = { payload: { base: 'll', offset: 14 * 8, len: 16 } };
/** A length in place of a type, and SNAP, whose type comes later: some systems take packets of IP so, and rules do not see them (RFC 1042). */
const inSnap: readonly NftExpression[] = [
  { match: { op: '<', left: etherType, right: 0x0600 } },
  is({ '&': [behindType, 0xfefe] }, 0xaaaa),
];

/** Answers of DHCP and DHCPv6 servers, router advertisements, redirects: they are the host's to give. */
const rogueRules: Rules = [
  [...inSnap, drop],
  [is(field('udp', 'dport'), [68, 546]), drop],
  [is(field('icmpv6', 'type'), ['nd-router-advert', 'nd-redirect']), drop],
];

/**
 * A tag of VLAN 0 says a priority and no VLAN: who gets the frame takes it as if there were none, and rules for what is in it see no such thing.
 * No guest needs to send any.
 */
const inPriorityTag: readonly NftExpression[] = [
  is(etherType, [0x8100, 0x88a8, 0x9100]),
  is({ '&': [behindType, 0x0fff] }, 0),
];

/**
 * Who asks for an address says for whom behind the ports, which the next fragment may hold: the host puts them together, and rules do not. The first
 * one has the ports at all events: a kernel takes none that is shorter than the header of UDP. No honest guest asks in fragments.
 */
const asksForAddress = is(field('udp', 'dport'), [67, 547]);
const isPresent = (header: string): NftExpression => ({
  match: { op: '==', left: { exthdr: { name: header } }, right: true },
});
const fragmentRules: Rules = [
  [asksForAddress, isNot({ '&': [field('ip', 'frag-off'), 0x3fff] }, 0), drop],
  [asksForAddress, isPresent('frag'), drop],
];

const unspecified = '::';
const linkLocal = prefixOf('fe80::/10');

function lockRules({ mac = '', ips }: GuestPort, gateway: string | undefined): Rules {
  const own: Rules = [
    [isNot(field('ether', 'saddr'), mac), drop],
    [is(etherType, 'arp'), isNot(field('arp', 'saddr ether'), mac), drop],
    // one guest asks for one guest's addresses
    [is(field('udp', 'dport'), 67), isNot(raw(chaddr.offset, chaddr.len), macValue(mac)), drop],
  ];
  if (ips === undefined) return own;
  const of = (colon: boolean) => ips.filter((ip) => ip.includes(':') === colon);
  return [...own, ...lockRules4(of(false)), ...lockRules6(of(true), linkLocalOf(mac), gateway), [drop]];
}

/** Of a message of DHCP behind the header of UDP: bits. */
const chaddr = { offset: (8 + 28) * 8, len: 48 } as const;
const macValue = (mac: string): number => Number.parseInt(mac.replaceAll(':', ''), 16);

function lockRules4(ips: readonly string[]): Rules {
  return [
    // somebody who asks whether an address is free (RFC 5227)
    [is(etherType, 'arp'), is(field('arp', 'operation'), 'request'), is(field('arp', 'saddr ip'), '0.0.0.0'), accept],
    ...(ips.length === 0 ? [] : [[is(etherType, 'arp'), is(field('arp', 'saddr ip'), [...ips]), accept]]),
    [
      is(field('ip', 'saddr'), '0.0.0.0'),
      is(field('ip', 'daddr'), '255.255.255.255'),
      is(field('udp', 'dport'), 67),
      accept,
    ],
    ...(ips.length === 0 ? [] : [[is(field('ip', 'saddr'), [...ips]), accept]]),
  ];
}

const ofMacs = 'links_of_macs';
const announced = 'announced_link';

/**
 * Link-local addresses that follow from MACs, of the makers whose MACs these are. Who has such a one has it from his MAC: so a guest's own is the only one
 * for it, and which others there are, today and tomorrow, need not be known. In one place for all ports: what there is of it grows with the guests.
 */
function linksOfMacs(table: NftTable, macs: readonly string[]): NftCommand[] {
  if (macs.length === 0) return [];
  const makers = [...new Set(macs.map((mac) => valueOf(linkLocalOf(mac)) >> 24n))];
  const cidrs = makers.map((maker) => `${renderAddress({ family: 6, value: maker << 24n })}/104`);
  // the last 8 bytes: three that say the maker, ff:fe, and three of the card's own
  const target = [
    is(raw(64, 32), 0xfe80_0000),
    is(raw(96, 32), 0),
    is(raw(128, 32), [...new Set(makers.map((maker) => Number((maker >> 8n) & 0xffff_ffffn)))]),
    is(raw(160, 8), 0xfe),
  ];
  return [
    addPrefixSet(table, { name: ofMacs, type: 'ipv6_addr' }, cidrs),
    ...addFilledChain(table, { name: announced }, [[...target, drop]]),
  ];
}

/** Which link-local address a guest makes for itself nobody knows; the gateway's it is not, nor one that follows from another's MAC. */
function lockRules6(ips: readonly string[], link: string, gateway: string | undefined): Rules {
  const type = field('icmpv6', 'type');
  const advert = is(type, 'nd-neighbor-advert');
  const sender = field('ip6', 'saddr');
  return [
    ...(gateway === undefined
      ? []
      : [
          [is(sender, gateway), drop],
          [advert, ...targetIs(gateway), drop],
        ]),
    [isNot(sender, link), is(sender, `@${ofMacs}`), drop],
    ...[...ips, link].map((ip) => [advert, ...targetIs(ip), is(sender, [...ips, linkLocal]), accept]),
    [advert, jump(announced)],
    [advert, is(raw(64, 16), 0xfe80), is(sender, [...ips, linkLocal]), accept],
    [advert, drop],
    [
      is(sender, unspecified),
      is(type, ['nd-neighbor-solicit', 'nd-router-solicit', 'mld-listener-report', 'mld2-listener-report']),
      accept,
    ],
    [is(sender, [...ips, linkLocal]), accept],
  ];
}

/** Whom a neighbour advertisement speaks of: the 16 bytes behind the first 8, four by four. */
function targetIs(ip: string): NftExpression[] {
  const value = valueOf(ip);
  return [96n, 64n, 32n, 0n].map((shift, at) => is(raw(64 + 32 * at, 32), Number((value >> shift) & 0xffff_ffffn)));
}

const valueOf = (ip: string): bigint => parseAddress(ip)?.value ?? 0n;

/** The one that the kernel makes from a MAC (EUI-64). */
export function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((octet) => Number.parseInt(octet, 16));
  const eui = [a ^ 2, b, c, 0xff, 0xfe, d, e, f].reduce((value, octet) => (value << 8n) + BigInt(octet), 0n);
  return renderAddress({ family: 6, value: (0xfe80n << 112n) + eui });
}
