import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { endianness, tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseRoutes, parseRoutes6, readAdvertised, readRoutes } from '../../../src/host/routes.ts';

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
    expect(readRoutes('/nonexistent', '/nonexistent')).toEqual([]);
    for (const { cidr } of readRoutes()) expect(cidr).toMatch(/^[0-9a-f.:]+\/[0-9]+$/);
  });
});

/** Destination, length, flags, interface. */
const row6 = (destination: string, length: string, [flags, name]: readonly [string, string]): string =>
  [destination, length, '0'.repeat(32), '00', '0'.repeat(32), '00000100', '00000001', '00000000', flags, name].join(
    ' ',
  );
const of6 = (start: string): string => start.padEnd(32, '0');

describe('the routes of IPv6', () => {
  const text = [
    row6(of6('fd000120'), '40', ['00000001', '    eth0']),
    row6(of6('20010db8'), '20', ['00000003', '    tun0']),
    row6(of6(''), '00', ['00450003', '    eth0']),
    row6(of6('fe80'), '40', ['00000001', '    eth0']),
    row6(of6('ff'), '08', ['00000001', '    eth0']),
    row6(`${of6('fd00').slice(0, 31)}2`, '80', ['80200001', '      lo']),
    row6(of6('fd000001'), '40', ['00000200', '      lo']),
    'nonsense',
    '',
  ].join('\n');

  test('are networks and who leads to them, without those of the link itself, groups and the host’s own addresses', () => {
    expect(parseRoutes6(text)).toEqual([
      { cidr: 'fd00:120::/64', interface: 'eth0' },
      { cidr: '2001:db8::/32', interface: 'tun0' },
    ]);
  });

  test('that were announced are lost where the kernel listens to routers only as long as it is none', () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'routes-')), 'ipv6_route');
    onTestFinished(() => rmSync(path.dirname(file), { recursive: true }));
    writeFileSync(file, text);
    const host = (acceptRa: string, forwarding: string) => (_name: string, key: string) =>
      key === 'accept_ra' ? acceptRa : forwarding;
    expect(readAdvertised(file, host('1', '0'))).toEqual(['eth0']);
    expect(readAdvertised(file, host('2', '0'))).toEqual([]);
    expect(readAdvertised(file, host('0', '0'))).toEqual([]);
    expect(readAdvertised(file, host('1', '1'))).toEqual([]);
  });
});
