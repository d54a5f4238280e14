/** dnsmasq's file of what it handed out. Pure. */
import { parseAddress } from '../../subnet.ts';

/** DHCP's word for "for ever". */
export const forever = 0xff_ff_ff_ff;

export const shortestDnsmasqLeaseS = 120;

/** RFC 1123. */
export const isHostLabel = (name: string): boolean => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(name);

export interface DnsmasqLease {
  readonly mac: string;
  readonly ip: string;
  readonly hostName?: string;
  /** Seconds since the epoch. */
  readonly expires: number;
}

/** DHCPv6 knows clients by a name of their own choice: whose MAC that is, is for lease-owner to find. */
export interface Dhcp6Lease {
  /** Which of the client's interfaces, by a number of its own choice. */
  readonly iaid: number;
  readonly ip: string;
  readonly hostName?: string;
  /** Bytes in hex, `00:03:00:01:52:54:…`; undefined: dnsmasq has not kept it. */
  readonly duid?: string;
  readonly expires: number;
}

/** Its file of leases: `1700000000 52:54:00:… 10.0.0.5 web1 01:52:54:…`. What is no lease of IPv4 by MAC is passed over. */
export function parseDnsmasqLeases(text: string): DnsmasqLease[] {
  return text.split('\n').flatMap((line): DnsmasqLease[] => {
    const [written = '', mac = '', ip = '', hostName = ''] = line.split(' ');
    const expires = expiryOf(written);
    if (expires === undefined || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) || parseAddress(ip)?.family !== 4)
      return [];
    return [{ mac, ip, ...(isHostLabel(hostName) && { hostName }), expires }];
  });
}

/** Those of IPv6, after the line of the server's own DUID: `1700000000 1442 fd00::5 web1 00:01:…`, with a T before the number of a temporary one. */
export function parseDnsmasqLeases6(text: string): Dhcp6Lease[] {
  return text.split('\n').flatMap((line): Dhcp6Lease[] => {
    const [written = '', iaid = '', ip = '', hostName = '', duid = ''] = line.split(' ');
    const expires = expiryOf(written);
    if (expires === undefined || !/^T?\d{1,10}$/.test(iaid) || parseAddress(ip)?.family !== 6) return [];
    return [
      {
        iaid: Number(iaid.replace('T', '')),
        ip,
        ...(isHostLabel(hostName) && { hostName }),
        ...(/^([0-9a-f]{2}:){1,129}[0-9a-f]{2}$/.test(duid) && { duid }),
        expires,
      },
    ];
  });
}

/** 0: for ever. */
function expiryOf(written: string): number | undefined {
  if (!/^\d{1,12}$/.test(written)) return undefined;
  return Number(written) === 0 ? forever : Number(written);
}
