import { endianness } from 'node:os';
import { describe, expect, test } from 'vitest';
import { parseRoutes, readRoutes } from '../../../src/host/routes.ts';

const header = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const row = (name: string, destination: string, [mask, flags = '0001']: readonly [string, string?]): string =>
  `${name}\t${hex(destination)}\t00000000\t${flags}\t0\t0\t0\t${hex(mask)}\t0\t0\t0  \n`;

/** As the kernel of this machine writes it. */
function hex(address: string): string {
  const octets = address.split('.').map((octet) => Number(octet).toString(16).toUpperCase().padStart(2, '0'));
  return (endianness() === 'LE' ? octets.toReversed() : octets).join('');
}

describe('the routes of the host', () => {
  test('are networks and who leads to them', () => {
    const text =
      header +
      row('eth0', '0.0.0.0', ['0.0.0.0', '0003']) +
      row('eth0', '192.0.2.0', ['255.255.255.0']) +
      row('tun0', '10.0.0.0', ['255.0.0.0', '0003']) +
      row('eth1', '198.51.100.77', ['255.255.255.255', '0005']);
    expect(parseRoutes(text)).toEqual([
      { cidr: '192.0.2.0/24', interface: 'eth0' },
      { cidr: '10.0.0.0/8', interface: 'tun0' },
      { cidr: '198.51.100.77/32', interface: 'eth1' },
    ]);
  });

  test('that are down, or that nobody understands, are left out', () => {
    expect(parseRoutes(header + row('eth0', '192.0.2.0', ['255.255.255.0', '0000']))).toEqual([]);
    expect(parseRoutes(`${header}eth0\tx\ty\n\n`)).toEqual([]);
    expect(parseRoutes('')).toEqual([]);
  });

  test('of this machine can be read, or there are none', () => {
    expect(readRoutes('/nonexistent')).toEqual([]);
    for (const { cidr } of readRoutes()) expect(cidr).toMatch(/^[0-9.]+\/[0-9]+$/);
  });
});
