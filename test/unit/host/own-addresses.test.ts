import { describe, expect, test } from 'vitest';
import { parseLocal, parseLocal6, readOwnAddresses } from '../../../src/host/own-addresses.ts';

const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
              /32 link BROADCAST
           |-- 192.0.2.2
              /32 link BROADCAST
              /32 host LOCAL
`;

describe('the own addresses of a host', () => {
  test('of IPv4 are the leaves that are its own', () => {
    expect(parseLocal(trie)).toEqual(['127.0.0.1', '192.0.2.2']);
    expect(parseLocal('nothing of the kind')).toEqual([]);
  });

  test('of IPv6 are told in hex', () => {
    expect(parseLocal6('fd000120000000000000000000000001 04 40 00 82     eth0\nno address\n')).toEqual(['fd00:120::1']);
  });

  test('are not known where the kernel does not tell', () => {
    expect(readOwnAddresses('/nonexistent')).toBeUndefined();
    expect(readOwnAddresses()?.has('127.0.0.1') ?? true).toBe(true);
  });
});
