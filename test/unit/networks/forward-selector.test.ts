import { describe, expect, test } from 'vitest';
import type { NetworkForward } from '../../../src/network/network-plan.ts';
import { findForwards, parseSelector } from '../../../src/networks/forward-selector.ts';

const forward = (host: string, guest: string, protocol: 'tcp' | 'udp' = 'tcp'): NetworkForward => {
  const [hostAddress = '', hostPort = ''] = host.split(':');
  const [name = '', guestPort = ''] = guest.split(':');
  const guestAddress = name === 'web1' ? '10.44.0.50' : name;
  return { protocol, hostAddress, hostPort: Number(hostPort), guest: name, guestAddress, guestPort: Number(guestPort) };
};

const forwards = [
  forward('127.0.0.1:8080', 'web1:80'),
  forward('127.0.0.1:8080', 'web1:80', 'udp'),
  forward('0.0.0.0:8081', '10.44.0.9:80'),
];

const found = (...written: readonly string[]): number[] =>
  findForwards(
    'lab',
    written.map((one) => parseSelector(one)),
    forwards,
  ).map((one) => forwards.indexOf(one));

describe('what is meant', () => {
  test.each<[string, number[]]>([
    ['8080', [0, 1]],
    ['8080/udp', [1]],
    ['127.0.0.1:8080/tcp', [0]],
    ['0.0.0.0:8081', [2]],
    ['8080:web1:80', [0]],
    ['8080:web1:80/udp', [1]],
    ['8080:10.44.0.50:80', [0]],
    ['auto:web1:80', [0]],
    ['0.0.0.0:8081:10.44.0.9:80', [2]],
    ['%eth0:8080:web1:80', [0]],
  ])('%s', (written, indexes) => {
    expect(found(written)).toEqual(indexes);
  });

  test('several, each forward once', () => {
    expect(found('8080', '8080/udp', '8081')).toEqual([0, 1, 2]);
  });
});

test.each(['9', '127.0.0.2:8080', '8081:web1:80', '8080:web2:80', '8080:web1:81', '8081/udp'])(
  '%s means none of them',
  (written) => {
    expect(() => found('8080', written)).toThrow(
      expect.objectContaining({ code: 'unknown-name', message: `network lab has no forward ${written}` }),
    );
  },
);

test.each(['', 'x', '8080:', ':8080', '8080/sctp', '8080:80', '1:2:3:4:5', 'web1:80', '\n8080'])(
  '%j is no selector',
  (written) => {
    expect(() => parseSelector(written)).toThrow(expect.objectContaining({ code: 'usage' }));
  },
);
