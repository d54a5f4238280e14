import { expect, test } from 'vitest';
import { isInTheWay, portsIn } from '../../../src/resources/taken-port.ts';

test.each([
  ['dnsmasq: failed to create listening socket for 10.9.0.1: Address already in use', ['tcp 53', 'udp 53', 'udp 69']],
  ['dnsmasq: failed to bind DHCP server socket: Address already in use', ['udp 67']],
  ['dnsmasq: failed to bind DHCPv6 server socket: Address already in use', ['udp 547']],
  ["Can't bind to dhcp address: Address already in use", ['udp 67']],
  ['dnsmasq: failed to create listening socket for 10.9.0.1: Permission denied', []],
  ['switch: /run/x: Address already in use', []],
])('%s', (line, ports) => {
  expect(portsIn(line).map(({ protocol, port }) => `${protocol} ${port}`)).toEqual(ports);
});

test.each([
  ['0.0.0.0:67', '0.0.0.0', true],
  ['0.0.0.0:53', '10.9.0.1', true],
  ['10.9.0.1:53', '10.9.0.1', true],
  ['10.9.0.1:67', '0.0.0.0', true],
  ['*:53', '10.9.0.1', true],
  ['[::]:547', '::', true],
  ['10.9.0.2:53', '10.9.0.1', false],
  ['[::]:53', '10.9.0.1', false],
  // another bridge's own
  ['0.0.0.0%virbr0:67', '0.0.0.0', false],
  ['127.0.0.53%lo:53', '10.9.0.1', false],
])('a socket on %s, %s wanted: in the way %s', (local, address, expected) => {
  const line = `UNCONN 0      0      ${local} 0.0.0.0:* users:(("dnsmasq",pid=812,fd=3))`;
  expect(isInTheWay(line, address)).toBe(expected);
});
