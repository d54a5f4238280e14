/**
 * Whose a lease of DHCPv6 is. The protocol has no MAC: a client calls itself by a DUID, one for all of its interfaces, and an interface by a number (IAID).
 * So it is told by what dnsmasq, the kernel and the client's habits say of it; where nothing does, nobody's name is put to it. Pure.
 */
import type { NeighbourFact } from '../../host/neighbours.ts';
import type { Dhcp6Lease } from './leases.ts';

/** An interface that may be on the network. */
export interface KnownNic {
  readonly mac: string;
  /** What others know it by. */
  readonly hostName?: string;
  /** Addresses that nobody else is given. */
  readonly ips?: readonly string[];
}

export interface LeaseLook {
  readonly known: readonly KnownNic[];
  readonly met: readonly NeighbourFact[];
}

/**
 * By what is surer first: an address that is given to one MAC alone; the MAC at which the host has met it; a number that is made from the MAC (dhclient,
 * dhcpcd); a DUID that holds it (it may be that of another interface of the same guest); the name that it has in DNS. Each counts only if it means one.
 */
export function macOfLease(lease: Dhcp6Lease, { known, met }: LeaseLook): string | undefined {
  const { ip, iaid, duid, hostName } = lease;
  const ofDuid = duid === undefined ? undefined : macOfDuid(duid);
  const macsOf = (isIt: (nic: KnownNic) => boolean): string[] => known.filter(isIt).map(({ mac }) => mac);
  return (
    onlyOne(macsOf(({ ips }) => ips?.includes(ip) === true)) ??
    onlyOne(met.flatMap(({ address, mac }) => (address === ip ? [mac] : []))) ??
    onlyOne(macsOf(({ mac }) => iaidOf(mac) === iaid)) ??
    onlyOne(macsOf(({ mac }) => mac === ofDuid)) ??
    onlyOne(macsOf((nic) => hostName !== undefined && nic.hostName?.toLowerCase() === hostName.toLowerCase())) ??
    ofDuid
  );
}

function onlyOne(macs: readonly string[]): string | undefined {
  const different = new Set(macs);
  return different.size === 1 ? macs[0] : undefined;
}

/** Its last four bytes. */
const iaidOf = (mac: string): number => Number.parseInt(mac.split(':').slice(2).join(''), 16);

/** The MAC in a DUID made from one, with the time (1) or without (3), of Ethernet; undefined for any other. https://www.rfc-editor.org/rfc/rfc8415#section-11 */
export function macOfDuid(duid: string): string | undefined {
  const [, mac] = /^00:(?:01:00:01(?::[0-9a-f]{2}){4}|03:00:01):((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/.exec(duid) ?? [];
  return mac;
}
