import { describe, expect, test } from 'vitest';
import { chooseWayIn, type GuestForward, type GuestNetwork } from '../../../src/ssh/way-in.ts';

const forward = (hostAddress: string, hostPort: number | 'auto', more: Partial<GuestForward> = {}): GuestForward => ({
  protocol: 'tcp',
  hostAddress,
  hostPort,
  guestPort: 22,
  ...more,
});

const network = (name: string, more: Partial<GuestNetwork> = {}): GuestNetwork => ({
  name,
  forwards: [],
  reachable: false,
  takesForwards: false,
  ...more,
});

describe('the way in', () => {
  test('a forward of a NIC to port 22 comes before one of a network, and that before an address', () => {
    const nics = [{ id: 'net0' }, { id: 'net1', forwards: [forward('127.0.0.1', 10_022)] }];
    const lab = network('lab', { forwards: [forward('127.0.0.1', 2222)], reachable: true, address: '10.44.0.2' });
    expect(chooseWayIn({ nics, networks: [lab] })).toEqual({
      way: { address: '127.0.0.1', port: 10_022, by: 'the forward of net1' },
    });
    expect(chooseWayIn({ nics: [], networks: [lab] })).toEqual({
      way: { address: '127.0.0.1', port: 2222, by: 'a forward of the network lab' },
    });
    expect(chooseWayIn({ nics: [], networks: [{ ...lab, forwards: [] }] })).toEqual({
      way: { address: '10.44.0.2', port: 22, by: 'the network lab' },
    });
  });

  test('an address at which the host has met the guest is one; a network’s own knowledge comes before', () => {
    const nics = [{ id: 'net0' }, { id: 'net1', addresses: ['10.9.0.7', '10.9.0.8'] }];
    expect(chooseWayIn({ nics, networks: [network('lab', { takesForwards: true })] })).toEqual({
      way: { address: '10.9.0.7', port: 22, by: 'the address of net1' },
    });
    const lab = network('lab', { reachable: true, address: '10.44.0.2' });
    expect(chooseWayIn({ nics, networks: [lab] }).way?.by).toBe('the network lab');
  });

  test('other ports, UDP, and a port that is not known yet are no way in', () => {
    const forwards = [
      forward('127.0.0.1', 8080, { guestPort: 80 }),
      forward('127.0.0.1', 2222, { protocol: 'udp' }),
      forward('127.0.0.1', 'auto'),
      forward('127.0.0.1', 0),
    ];
    expect(chooseWayIn({ nics: [{ id: 'net0', forwards }], networks: [] })).toEqual({});
  });

  test.each([
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
    ['0:0:0:0:0:0:0:0', '::1'],
    ['127.0.0.2', '127.0.0.2'],
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8::7', '2001:db8::7'],
  ])('a forward that listens on %s is reached at %s', (listens, reached) => {
    const choice = chooseWayIn({ nics: [{ id: 'net0', forwards: [forward(listens, 2222)] }], networks: [] });
    expect(choice.way).toMatchObject({ address: reached, port: 2222 });
  });

  test('of several forwards of one NIC the one on loopback', () => {
    const forwards = [forward('192.0.2.7', 1), forward('0.0.0.0', 2), forward('127.0.0.1', 3)];
    expect(chooseWayIn({ nics: [{ id: 'net0', forwards }], networks: [] }).way?.port).toBe(2);
  });

  test('without a way, a network that takes forwards while it runs', () => {
    const networks = [network('vde', { address: '10.0.0.2' }), network('hub', { takesForwards: true })];
    expect(chooseWayIn({ nics: [{ id: 'net0' }], networks })).toEqual({ forwardOn: 'hub' });
  });

  test('an address on a network that the host is not on is no way in', () => {
    expect(chooseWayIn({ nics: [], networks: [network('lab', { address: '10.44.0.2' })] })).toEqual({});
  });
});
