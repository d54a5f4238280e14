import { describe, expect, test } from 'vitest';
import { QrunError } from '../../../../src/errors.ts';
import { parseNetworkName } from '../../../../src/names.ts';
import { parseNetwork } from '../../../../src/network/parse.ts';

const faultsOf = (text: string, uid = 0): readonly string[] => {
  try {
    parseNetwork(text, { file: '/c/networks/lan0.yaml', name: parseNetworkName('lan0'), uid });
    return [];
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    return error.faults.map(({ line, message }) => `${line}: ${message}`);
  }
};

const withPorts = (ports: number, more: string): string => `forward: nat\nports: ${ports}\nowner: alice\n${more}`;

describe('each port has an address of its own', () => {
  test.for<[string, string, string]>([
    ['a small network', withPorts(10, 'addresses: [10.9.7.1/29]\n'), '2: 10 ports need 10 addresses, and DHCP has 4'],
    ['the range that a /24 has by itself', withPorts(202, ''), '2: 202 ports need 202 addresses, and DHCP has 201'],
    [
      'a range, of which one is a host’s',
      withPorts(
        4,
        'addresses: [10.9.7.1/24]\ndhcp: { ranges: [10.9.7.10-10.9.7.13], hosts: [{ mac: "52:54:00:00:00:01", ip: 10.9.7.11 }] }\n',
      ),
      '2: 4 ports need 4 addresses, and DHCP has 3',
    ],
    [
      'one more for a VM of root’s that a forward names',
      withPorts(
        4,
        'addresses: [10.9.7.1/24]\ndhcp: { ranges: [10.9.7.10-10.9.7.13] }\nforwards: ["8080:root/web1:80"]\n',
      ),
      '2: 4 ports and VMs that forwards name need 5 addresses, and DHCP has 4',
    ],
  ])('%s', ([, text, fault]) => {
    expect(faultsOf(text)).toEqual([expect.stringContaining(fault)]);
  });

  test.for([
    withPorts(4, 'addresses: [10.9.7.1/29]\n'),
    withPorts(201, ''),
    withPorts(
      2,
      'addresses: [10.9.7.1/24]\ndhcp: { ranges: [10.9.7.10-10.9.7.10], hosts: [{ vm: web1, ip: 10.9.7.20 }] }\n',
    ),
    'forward: open\naddresses: [10.9.7.1/29]\nports: 10\nowner: alice\n',
  ])('enough: %#', (text) => expect(faultsOf(text)).toEqual([]));
});
