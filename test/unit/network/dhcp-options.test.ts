import { describe, expect, test } from 'vitest';
import { dhcpOptionNames, encodeDhcpOption, parseOptionName } from '../../../src/network/dhcp-options.ts';

describe('an option', () => {
  test.for<[string, string, number, string]>([
    ['ntp-server', '10.0.0.1', 42, '0a000001'],
    ['42', '10.0.0.1,10.0.0.2', 42, '0a0000010a000002'],
    ['router', '10.0.0.1', 3, '0a000001'],
    ['dns-server', '10.0.0.1, 9.9.9.9', 6, '0a00000109090909'],
    ['default-ttl', '64', 23, '40'],
    ['boot-file-size', '513', 13, '0201'],
    ['time-offset', '3600', 2, '00000e10'],
    ['root-path', '/srv', 17, '2f737276'],
    ['posix-timezone', 'EST5EDT', 100, '45535435454454'],
    ['252', 'http://wpad/x', 252, '687474703a2f2f777061642f78'],
    ['224', '10.0.0.1', 224, '0a000001'],
    ['224', '01:ff', 224, '01ff'],
    ['224', 'hello', 224, '68656c6c6f'],
    ['224', '7', 224, '37'],
  ])('%s: %s', ([option, value, code, hex]) =>
    expect(encodeDhcpOption({ option, value })).toEqual({ value: { code, hex } }),
  );

  test.for<[string, string, string]>([
    ['ntp-server', 'x', '"x" is no IPv4 address'],
    ['ntp-server', '10.0.0.1,', '"" is no IPv4 address'],
    ['ntp-server', 'fd00::1', 'is no IPv4 address'],
    ['default-ttl', '256', 'from 0 to 255'],
    ['default-ttl', '-1', 'from 0 to 255'],
    ['default-ttl', '0x10', 'from 0 to 255'],
    ['boot-file-size', '65536', 'from 0 to 65535'],
    ['tcp-keepalive', '4294967296', 'from 0 to 4294967295'],
    ['224', 'x'.repeat(256), 'has 256 bytes'],
    ['ntp-server', Array.from({ length: 64 }, () => '10.0.0.1').join(','), 'has 256 bytes'],
  ])('%s: %s is none', ([option, value, part]) => {
    const encoded = encodeDhcpOption({ option, value });
    expect('fault' in encoded ? encoded.fault : '').toContain(part);
  });

  test.for<[string, string]>([
    ['0', 'no DHCP option'],
    ['255', 'no DHCP option'],
    ['042', 'no DHCP option'],
    ['npt-server', 'did you mean "ntp-server"?'],
    ['constructor', 'no DHCP option'],
    ['1', 'follows from "addresses"'],
    ['netmask', 'follows from "addresses"'],
    ['hostname', '"dhcp.hosts"'],
    ['domain-name', '"dns.domain"'],
    ['mtu', 'the MTU is "mtu"'],
    ['26', 'the MTU is "mtu"'],
    ['lease-time', '"dhcp.lease"'],
    ['tftp-server', '"dhcp.tftp"'],
    ['67', '"dhcp.tftp.file"'],
    ['domain-search', '"dns.search"'],
    ['53', "the protocol's own"],
    ['82', "the protocol's own"],
  ])('%s is not given there', ([option, part]) => {
    const parsed = parseOptionName(option);
    expect('fault' in parsed ? parsed.fault : '').toContain(part);
  });

  test('every name that is known is one', () => {
    for (const name of dhcpOptionNames) expect(parseOptionName(name)).toHaveProperty('value');
  });
});
