/**
 * What a NIC hangs on, so that NICs which meet get the same answer: those of one multicast group, the two ends of a cable, those of one switch.
 */
import { isIP, isIPv6 } from 'node:net';
import type { Endpoint, Nic } from '../profile/profile.ts';
import type { MapNetwork, MapNetworkKind } from './map-document.ts';

export interface Attachment {
  /** The same for all that meet. */
  readonly id: string;
  readonly kind: MapNetworkKind;
  readonly name: string;
  readonly subnet?: string;
  readonly uplink?: MapNetwork['uplink'];
  readonly end?: string;
}

export const managedId = (network: string): string => `net:${network}`;

export function attachmentOf(vm: string, nic: Nic): Attachment {
  switch (nic.kind) {
    case 'user':
    case 'passt':
      return privateNat(vm, nic);
    case 'mcast':
      return multicast(nic);
    case 'stream':
    case 'dgram':
      return cable(nic);
    case 'l2tpv3':
      return between('tunnel', nic.source, nic.destination);
    case 'vde':
      return { id: `vde:${nic.socket}`, kind: 'vde', name: nic.socket };
    case 'bridge':
      return bridge(nic.bridge);
    case 'tap':
      return nic.bridge === undefined ? tap(nic.device ?? nic.id) : bridge(nic.bridge);
    case 'macvtap':
      return { id: `macvtap:${nic.parent}`, kind: 'macvtap', name: nic.parent, uplink: nic.parent };
    case 'hostdev':
      return device(nic.address ?? nic.parent ?? nic.id);
    case 'network':
      return { id: managedId(nic.network), kind: 'managed', name: nic.network };
  }
}

/** Of a run whose record does not say what the profile said. */
export function attachmentOfSource(
  vm: string,
  nic: { readonly id: string; readonly kind: string; readonly source: string },
): Attachment {
  if (nic.kind === 'user' || nic.kind === 'passt')
    return { id: `${nic.kind}:${vm}:${nic.id}`, kind: 'private', name: nic.kind, uplink: 'outside' };
  return { id: `${nic.kind}:${nic.source}`, kind: 'other', name: `${nic.kind} ${nic.source}` };
}

const defaultUserSubnet = '10.0.2.0/24';

function privateNat(vm: string, nic: Extract<Nic, { kind: 'user' | 'passt' }>): Attachment {
  const isUser = nic.kind === 'user';
  return {
    id: `${nic.kind}:${vm}:${nic.id}`,
    kind: 'private',
    name: isUser ? 'NAT' : 'passt',
    ...(isUser && { subnet: nic.subnet ?? defaultUserSubnet }),
    uplink: isUser && nic.restrict ? null : 'outside',
  };
}

function multicast({ group, interface: local }: Extract<Nic, { kind: 'mcast' }>): Attachment {
  const name = renderHostPort(group.address, group.port);
  if (local === undefined || isLoopback(local) || local === 'lo') return { id: `mcast:${name}`, kind: 'mcast', name };
  return { id: `mcast:${name}%${local}`, kind: 'mcast', name: `${name} on ${local}`, uplink: local };
}

function cable(nic: Extract<Nic, { kind: 'stream' | 'dgram' }>): Attachment {
  if (nic.kind === 'dgram') return between('cable', nic.local, nic.remote);
  const end = nic.listen === undefined ? 'connects' : 'listens';
  const place = nic.listen ?? nic.connect;
  if (place === undefined) return { id: `cable:${nic.id}`, kind: 'cable', name: 'cable' };
  const key = keyOf(place);
  return { id: `cable:${key}`, kind: 'cable', name: key, end, uplink: isRemote(place) ? 'outside' : null };
}

/** Both ends name each other, in either order. */
function between(kind: 'cable' | 'tunnel', here: Endpoint, there: Endpoint): Attachment {
  const [first = '', second = ''] = [keyOf(here), keyOf(there)].toSorted();
  return {
    id: `${kind}:${first}|${second}`,
    kind,
    name: `${first} – ${second}`,
    uplink: isRemote(there) ? 'outside' : null,
  };
}

const bridge = (name: string): Attachment => ({ id: `bridge:${name}`, kind: 'bridge', name, uplink: 'host' });
const tap = (name: string): Attachment => ({ id: `tap:${name}`, kind: 'tap', name, uplink: 'host' });
const device = (name: string): Attachment => ({ id: `device:${name}`, kind: 'device', name, uplink: 'outside' });

/** Who listens on every address is met at loopback. */
function keyOf(end: Endpoint): string {
  if ('path' in end) return end.path;
  return isLoopback(end.host) || isAny(end.host) ? `localhost:${end.port}` : renderHostPort(end.host, end.port);
}

const isRemote = (end: Endpoint): boolean => 'host' in end && !isLoopback(end.host) && !isAny(end.host);

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
const isAny = (host: string): boolean => host === '0.0.0.0' || (isIPv6(host) && /^[0:]+$/.test(host));

const renderHostPort = (host: string, port: number): string => (isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`);
