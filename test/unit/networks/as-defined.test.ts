import { describe, expect, test } from 'vitest';
import { parseNetworkName } from '../../../src/names.ts';
import { parseNetwork } from '../../../src/network/parse.ts';
import { asDefined } from '../../../src/networks/as-defined.ts';
import { createSystem } from '../../../src/system/real.ts';

const of = (yaml: string, uid: number) => {
  const definition = parseNetwork(yaml, { file: '/c/networks/lan0.yaml', name: parseNetworkName('lan0'), uid });
  return asDefined(definition, { system: { ...createSystem({}), uid } });
};

describe('what a definition tells without a plan', () => {
  test('root: the subnet that follows from the name, also with an IPv6 address beside it', () => {
    const { subnet, addresses, dhcp } = of('forward: nat\naddresses: ["fd00:1::1/64"]\n', 0);
    expect(subnet).toMatch(/^10\.\d+\.\d+\.0\/24$/);
    const three = subnet?.replace('.0/24', '') ?? '';
    expect(addresses).toEqual([`${three}.1/24`, 'fd00:1::1/64']);
    expect(dhcp?.server).toBe('dnsmasq');
  });

  test('open without DHCP hands out nothing', () => {
    expect(of('forward: open\naddresses: [10.9.8.1/24]\n', 0)).toMatchObject({
      subnet: '10.9.8.0/24',
      addresses: ['10.9.8.1/24'],
      dhcp: null,
    });
  });

  test('dhcpd, and ranges of IPv6', () => {
    const text =
      'forward: nat\naddresses: [10.9.8.1/24, "fd00:1::1/64"]\ndhcp: { ranges: [10.9.8.5-10.9.8.9, "fd00:1::5-fd00:1::9"] }\n';
    expect(of(text, 0).dhcp).toEqual({ server: 'dnsmasq', ranges: ['10.9.8.5-10.9.8.9', 'fd00:1::5-fd00:1::9'] });
    expect(of('forward: nat\ndhcp: { server: dhcpd }\n', 0).dhcp?.server).toBe('dhcpd');
  });

  test('a bridge of the LAN has addresses only where they are written', () => {
    expect(of('forward: bridge\nbridge: { name: br0 }\n', 0)).toMatchObject({
      subnet: null,
      addresses: [],
      dhcp: null,
    });
  });
});
