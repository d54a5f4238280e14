/** Frames that a guest may try: those of a router and of a DHCP server, honest ones, and those in the name of another. The guest is g1, the other is g2. */
import { linkLocalOf } from '../../src/network/bridged/port-rules.ts';
import {
  arp,
  neighbourAdvert,
  neighbourSolicit,
  redirect,
  routerAdvert,
  routerSolicit,
  snap,
  udp4,
  udp6,
  type Payload,
} from './a-frame.ts';
import { macOf } from './a-rules-host.ts';

export const bridgeMac = '02:00:00:66:00:01';
export const [own, other] = [macOf('g1'), macOf('g2')];
export const [ownLink, otherLink, gatewayLink] = [linkLocalOf(own), linkLocalOf(other), linkLocalOf(bridgeMac)];
/** Of no MAC (RFC 7217). */
const madeUpLink = 'fe80::8d2c:51a7:90e4:3b6f';
export const broadcast = 'ff:ff:ff:ff:ff:ff';
export const allNodes = { mac: '33:33:00:00:00:01', ip: 'ff02::1' };

export interface Sent {
  readonly payload: (mark: readonly number[]) => Payload;
  readonly to?: string;
  readonly from?: string;
  readonly tags?: readonly (readonly [number, number])[];
}

const everywhere = { from: ownLink, to: allNodes.ip, mac: own };
const offer = (mark: readonly number[]): Payload =>
  udp4({ from: '10.66.0.11', to: '255.255.255.255', ports: [67, 68], data: mark });
const offer6 = (mark: readonly number[]): Payload =>
  udp6({ from: ownLink, to: allNodes.ip, ports: [547, 546], data: mark });
export const advert = (mark: readonly number[]): Payload => routerAdvert({ ...everywhere, mark });

const datagram = (from: string, more: Partial<Sent> = {}): Sent => ({
  payload: (mark) => udp4({ from, to: '255.255.255.255', ports: [9, 9], data: mark }),
  to: broadcast,
  ...more,
});
const datagram6 = (from: string): Sent => ({
  payload: (mark) => udp6({ from, to: allNodes.ip, ports: [9, 9], data: mark }),
});
const asArp = (said: Omit<Parameters<typeof arp>[0], 'mark'>, more: Partial<Sent> = {}): Sent => ({
  payload: (mark) => arp({ ...said, mark }),
  to: broadcast,
  ...more,
});

const sixteen = (mark: readonly number[]): readonly number[] => [
  ...mark,
  ...Array.from({ length: 16 - mark.length }, () => 0),
];

export const rogue: Readonly<Record<string, Sent>> = {
  'router advertisement': { payload: advert },
  'router advertisement behind options': { payload: (mark) => routerAdvert({ ...everywhere, mark, options: true }) },
  'router advertisement in a priority tag': { payload: advert, tags: [[0x8100, 0]] },
  'router advertisement in a priority tag of 802.1ad': { payload: advert, tags: [[0x88a8, 0]] },
  'router advertisement in two priority tags': {
    payload: advert,
    tags: [
      [0x8100, 0],
      [0x8100, 0],
    ],
  },
  // 802.1ad before it was a standard
  'router advertisement in a priority tag of 0x9100': { payload: advert, tags: [[0x9100, 0]] },
  'router advertisement in 802.2': { payload: (mark) => snap(advert(mark)) },
  'DHCP offer in 802.2': { payload: (mark) => snap(offer(mark)), to: broadcast },
  redirect: { payload: (mark) => redirect({ ...everywhere, mark }, 'fd66::12') },
  'DHCP offer': { payload: offer, to: broadcast },
  'DHCP offer in a priority tag': { payload: offer, to: broadcast, tags: [[0x8100, 7 << 13]] },
  'DHCPv6 reply': { payload: offer6 },
  'DHCPv6 reply in a priority tag': { payload: offer6, tags: [[0x8100, 0]] },
};

export const honest: Readonly<Record<string, Sent>> = {
  'router solicitation': {
    payload: (mark) => routerSolicit({ ...everywhere, to: 'ff02::2', mark }),
    to: '33:33:00:00:00:02',
  },
  'neighbour solicitation': { payload: (mark) => neighbourSolicit({ ...everywhere, mark }, 'fd66::12') },
  'neighbour advertisement': { payload: (mark) => neighbourAdvert({ ...everywhere, mark }, 'fd66::11') },
  'neighbour advertisement of its link-local address': {
    payload: (mark) => neighbourAdvert({ ...everywhere, mark }, ownLink),
  },
  'link-local address that follows from no MAC': datagram6(madeUpLink),
  'neighbour advertisement of one that follows from no MAC': {
    payload: (mark) => neighbourAdvert({ ...everywhere, from: madeUpLink, mark }, madeUpLink),
  },
  'neighbour solicitation for the link-local address of another': {
    payload: (mark) => neighbourSolicit({ ...everywhere, mark }, otherLink),
  },
  'address that it looks whether anybody has': {
    payload: (mark) => neighbourSolicit({ ...everywhere, from: '::', mark }, 'fd66::11'),
  },
  'DHCPv6 solicit': { payload: (mark) => udp6({ from: ownLink, to: 'ff02::1:2', ports: [546, 547], data: mark }) },
  ARP: asArp({ operation: 'request', mac: own, ip: '10.66.0.11', target: '10.66.0.12' }),
  'ARP probe': asArp({ operation: 'request', mac: own, ip: '0.0.0.0', target: '10.66.0.11' }),
  'ARP announcement': asArp({ operation: 'reply', mac: own, ip: '10.66.0.11', target: '10.66.0.11' }),
  datagram: datagram('10.66.0.11'),
  'datagram of IPv6': datagram6('fd66::11'),
};
const chaddr = (mac: readonly number[], mark: readonly number[]): readonly number[] => [
  ...[1, 1, 6, 0, 1, 2, 3, 4, ...Array.from({ length: 20 }, () => 0)],
  ...[...mac, ...Array.from({ length: 10 }, () => 0), ...mark],
];
const macBytes = (mac: string): readonly number[] => mac.split(':').map((octet) => Number.parseInt(octet, 16));
export const discover = (mac: string): Sent => ({
  payload: (mark) =>
    udp4({ from: '0.0.0.0', to: '255.255.255.255', ports: [68, 67], data: chaddr(macBytes(mac), mark) }),
  to: broadcast,
});

export const spoofed: Readonly<Record<string, Sent>> = {
  'MAC of another': datagram('10.66.0.11', { from: other }),
  'address of another': datagram('10.66.0.12'),
  'address of another in a priority tag': datagram('10.66.0.12', { tags: [[0x8100, 0]] }),
  'IPv6 address of another': datagram6('fd66::12'),
  'link-local address of the gateway': datagram6(gatewayLink),
  'link-local address of another': datagram6(otherLink),
  'ARP for the gateway': asArp({ operation: 'reply', mac: own, ip: '10.66.0.1', target: '10.66.0.12' }),
  'ARP for another': asArp({ operation: 'request', mac: own, ip: '10.66.0.12', target: '10.66.0.12' }),
  'ARP with the MAC of another': asArp({ operation: 'reply', mac: other, ip: '10.66.0.11', target: '10.66.0.12' }),
  'ARP for the gateway in a priority tag': asArp(
    { operation: 'reply', mac: own, ip: '10.66.0.1', target: '10.66.0.12' },
    { tags: [[0x8100, 0]] },
  ),
  'neighbour advertisement for the gateway': { payload: (mark) => neighbourAdvert({ ...everywhere, mark }, 'fd66::1') },
  'neighbour advertisement for the gateway’s link-local address': {
    payload: (mark) => neighbourAdvert({ ...everywhere, mark }, gatewayLink),
  },
  'neighbour advertisement for another’s link-local address': {
    payload: (mark) => neighbourAdvert({ ...everywhere, mark }, otherLink),
  },
  'neighbour advertisement for another’s link-local address from one of no MAC': {
    payload: (mark) => neighbourAdvert({ ...everywhere, from: madeUpLink, mark }, otherLink),
  },
  'neighbour solicitation from another’s link-local address': {
    payload: (mark) => neighbourSolicit({ ...everywhere, from: otherLink, mark }, 'fd66::1'),
  },
  'neighbour advertisement for another': { payload: (mark) => neighbourAdvert({ ...everywhere, mark }, 'fd66::12') },
  'neighbour advertisement for another behind options': {
    payload: (mark) => neighbourAdvert({ ...everywhere, mark, options: true }, 'fd66::12'),
  },
  'neighbour advertisement for another in a priority tag': {
    payload: (mark) => neighbourAdvert({ ...everywhere, mark }, 'fd66::12'),
    tags: [[0x8100, 0]],
  },
  'neighbour solicitation from another': {
    payload: (mark) => neighbourSolicit({ ...everywhere, from: 'fd66::12', mark }, 'fd66::1'),
  },
  'router solicitation from another': {
    payload: (mark) => routerSolicit({ ...everywhere, from: 'fd66::12', to: 'ff02::2', mark }),
    to: '33:33:00:00:00:02',
  },
  'frame of another protocol': { payload: (mark) => ({ type: 0x88b5, bytes: mark }), to: broadcast },
  'DHCP for another': discover(other),
};

/** The first of them has the ports, and whom it is for may stand in the next. */
export const askedInFragments: Readonly<Record<string, Sent>> = {
  'DHCP in fragments': {
    payload: (mark) =>
      udp4({ from: '10.66.0.11', to: '10.66.0.1', ports: [68, 67], data: sixteen(mark), fragment: true }),
    to: broadcast,
  },
  'DHCPv6 in fragments': {
    payload: (mark) => udp6({ from: ownLink, to: 'ff02::1:2', ports: [546, 547], data: sixteen(mark), fragment: true }),
  },
};
export const inFragments: Readonly<Record<string, Sent>> = {
  'datagram in fragments': {
    payload: (mark) =>
      udp4({ from: '10.66.0.11', to: '255.255.255.255', ports: [9, 9], data: sixteen(mark), fragment: true }),
    to: broadcast,
  },
  'datagram of IPv6 in fragments': {
    payload: (mark) => udp6({ from: 'fd66::11', to: allNodes.ip, ports: [9, 9], data: sixteen(mark), fragment: true }),
  },
};
