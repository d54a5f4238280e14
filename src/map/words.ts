/** How the map calls things: the same words in the tree and in the picture. Nothing here is escaped. */
import { renderHost } from '../profile/address.ts';
import type { MapForward, MapNetwork, MapNic } from './map-document.ts';

/** `127.0.0.1:8080 → web1:80/udp` */
export function forwardWords({ hostAddress, hostPort, guest, guestPort, protocol }: MapForward, arrow: string): string {
  const to = guest === null ? String(guestPort) : `${renderHost(guest)}:${guestPort}`;
  return `${renderHost(hostAddress)}:${hostPort} ${arrow} ${to}${protocol === 'udp' ? '/udp' : ''}`;
}

const kindWords: Readonly<Record<MapNetwork['kind'], string>> = {
  managed: 'network',
  mcast: 'multicast',
  cable: 'cable',
  vde: 'VDE switch',
  tunnel: 'L2TPv3 tunnel',
  bridge: "the host's bridge",
  tap: "the host's tap",
  macvtap: 'macvtap on',
  device: "the host's device",
  private: 'private',
  other: '',
};

/** What it is called, and what kind of thing it is. */
export function titleOf({ kind, name }: MapNetwork): string {
  return kind === 'managed' || kind === 'private' || kind === 'other' ? name : `${kindWords[kind]} ${name}`;
}

/** The same beside another network: a NAT is one of a NIC's own. */
export const nameBeside = (network: MapNetwork): string =>
  network.kind === 'private' ? `${network.name} of its own` : titleOf(network);

/** What else there is to say of it, in a few words each. */
export function detailsOf({ kind, state, forward, transport, subnet }: MapNetwork): string[] {
  return [kind === 'managed' ? (forward ?? '') : '', subnet ?? '', transport ?? '', state ?? ''].filter(
    (word) => word !== '',
  );
}

/** `outside`, `host`, or an interface's name, for people. */
export function uplinkWords(uplink: string): string {
  if (uplink === 'outside') return 'outside';
  return uplink === 'host' ? "the host's own network" : `interface ${uplink}`;
}

/** What a NIC's line says besides its name: addresses, and which end of a cable it is. */
export function nicWords({ mac, ips, end, link }: MapNic): string[] {
  return [mac ?? 'no MAC yet', ...ips, ...(end === null ? [] : [end]), ...(link === null ? [] : [link])];
}
