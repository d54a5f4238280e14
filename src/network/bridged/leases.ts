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

/** Its file of leases: `1700000000 52:54:00:… 10.0.0.5 web1 01:52:54:…`. What is no lease of IPv4 by MAC is passed over. */
export function parseDnsmasqLeases(text: string): DnsmasqLease[] {
  return text.split('\n').flatMap((line): DnsmasqLease[] => {
    const [expires = '', mac = '', ip = '', hostName = ''] = line.split(' ');
    if (!/^\d{1,12}$/.test(expires) || !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) || parseAddress(ip) === undefined)
      return [];
    return [
      {
        mac,
        ip,
        ...(isHostLabel(hostName) && { hostName }),
        // 0: for ever
        expires: Number(expires) === 0 ? forever : Number(expires),
      },
    ];
  });
}
