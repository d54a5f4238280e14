import { describe, expect, test } from 'vitest';
import { guestAddresses, parseUsernet } from '../../../src/qmp/usernet.ts';

/** Recorded from QEMU 7.2, two back ends. */
const text = `Hub -1 (net0):\r
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r
  TCP[ESTABLISHED]   21       127.0.0.1 46219       10.0.2.15    80     0     0\r
  TCP[SYN_SENT]      22       10.0.2.15 40112     198.51.100.7   443     0     0\r
  TCP[HOST_FORWARD]  14       127.0.0.1 46219       10.0.2.15    80     0     0\r
  UDP[HOST_FORWARD]  13       127.0.0.1 54604       10.0.2.15     7     0     0\r
Hub -1 (net1):\r
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r
  UDP[239 sec]       25      10.9.0.20 51000       10.9.0.3    53     0     0\r
`;

test('rows are told by back end, protocol and state', () => {
  const rows = parseUsernet(text);
  expect(rows).toHaveLength(5);
  expect(rows[0]).toEqual({
    netdev: 'net0',
    protocol: 'TCP',
    state: 'ESTABLISHED',
    source: '127.0.0.1',
    sourcePort: 46219,
    destination: '10.0.2.15',
    destinationPort: 80,
  });
  expect(rows[4]).toMatchObject({ netdev: 'net1', protocol: 'UDP', state: '239 sec', source: '10.9.0.20' });
});

describe("the guest's addresses", () => {
  test('are what it uses, from inside and from outside', () => {
    expect(guestAddresses(parseUsernet(text), 'net0', [46219, 54604])).toEqual(['10.0.2.15']);
    expect(guestAddresses(parseUsernet(text), 'net1', [])).toEqual(['10.9.0.20']);
  });

  test('a forward that nobody used says nothing of the guest', () => {
    const idle = text
      .split('\r\n')
      .filter((line) => !/ESTABLISHED|SYN_SENT/.test(line))
      .join('\r\n');
    expect(guestAddresses(parseUsernet(idle), 'net0', [46219, 54604])).toEqual([]);
  });
});

test('any text gives rows or none, and nothing else', () => {
  for (const odd of ['', '\0', 'TCP[', '  TCP[X] 1 a b c d', 'Hub -1 ():']) expect(parseUsernet(odd)).toEqual([]);
});
