import { describe, expect, test } from 'vitest';
import { buildMap, byText } from '../../../src/map/build-map.ts';
import { mcastNic, networkNic, networkOf, nicOf, userNic, vmOf } from './a-map.ts';

/** Which NICs share what, as `network: vm:nic vm:nic`. */
function meetings(...vms: readonly ReturnType<typeof vmOf>[]): string[] {
  const map = buildMap({ vms, networks: [] });
  return map.networks.map(({ id, name }) => {
    const on = map.vms.flatMap(({ vm, nics }) =>
      nics.filter((nic) => nic.network === id).map((nic) => `${vm}:${nic.id}`),
    );
    return `${name}: ${on.join(' ')}`;
  });
}

describe('who meets whom', () => {
  test('a router and a VM behind it, on one multicast group', () => {
    expect(meetings(vmOf('router', [userNic('net0'), mcastNic('net1')]), vmOf('behind', [mcastNic('net0')]))).toEqual([
      '230.0.0.1:12345: behind:net0 router:net1',
      'NAT: router:net0',
    ]);
  });

  test('groups on different interfaces are different; loopback is loopback, however it is said', () => {
    const on = (id: string, local?: string) =>
      nicOf(id, { kind: 'mcast', group: { address: '230.0.0.1', port: 1 }, ...(local && { interface: local }) });
    expect(meetings(vmOf('a', [on('x'), on('y', 'eth0')]), vmOf('b', [on('x', '127.0.0.1'), on('y', 'eth0')]))).toEqual(
      ['230.0.0.1:1: a:x b:x', '230.0.0.1:1 on eth0: a:y b:y'],
    );
  });

  test('the two ends of a stream, by path and by port', () => {
    const a = vmOf('a', [
      nicOf('p', { kind: 'stream', listen: { path: '/tmp/c' } }),
      nicOf('q', { kind: 'stream', listen: { host: '0.0.0.0', port: 5 } }),
    ]);
    const b = vmOf('b', [
      nicOf('p', { kind: 'stream', connect: { path: '/tmp/c' } }),
      nicOf('q', { kind: 'stream', connect: { host: 'localhost', port: 5 } }),
    ]);
    expect(meetings(a, b)).toEqual(['/tmp/c: a:p b:p', 'localhost:5: a:q b:q']);
    const ends = buildMap({ vms: [a, b], networks: [] }).vms.map(({ nics }) => nics.map(({ end }) => end));
    expect(ends).toEqual([
      ['listens', 'listens'],
      ['connects', 'connects'],
    ]);
  });

  test('datagrams and tunnels whose ends name each other', () => {
    const one = { host: '127.0.0.1', port: 1 };
    const two = { host: '127.0.0.1', port: 2 };
    const far = { host: '192.0.2.9', port: 1701 };
    const sessions = { tx: 1, rx: 1 };
    const a = vmOf('a', [
      nicOf('d', { kind: 'dgram', local: one, remote: two }),
      nicOf('t', { kind: 'l2tpv3', source: one, destination: far, sessions }),
    ]);
    const b = vmOf('b', [nicOf('d', { kind: 'dgram', local: two, remote: one })]);
    expect(meetings(a, b)).toEqual(['localhost:1 – localhost:2: a:d b:d', '192.0.2.9:1701 – localhost:1: a:t']);
    const { networks } = buildMap({ vms: [a, b], networks: [] });
    expect(networks.map(({ kind, uplink }) => ({ kind, uplink }))).toEqual([
      { kind: 'cable', uplink: null },
      { kind: 'tunnel', uplink: 'outside' },
    ]);
  });

  test('VDE switches, bridges, taps, macvtaps and devices', () => {
    const vms = ['a', 'b'].map((name) =>
      vmOf(name, [
        nicOf('v', { kind: 'vde', socket: '/run/vde.ctl' }),
        nicOf('b', { kind: 'bridge', bridge: 'br0' as never }),
        nicOf('m', { kind: 'macvtap', parent: 'eth0' as never }),
        nicOf('t', { kind: 'tap', device: `tap${name}` as never }),
        nicOf('u', { kind: 'tap', device: 'x' as never, bridge: 'br0' as never }),
        nicOf('h', { kind: 'hostdev', address: '0000:01:00.0' }),
      ]),
    );
    expect(meetings(...vms)).toEqual([
      'br0: a:b a:u b:b b:u',
      'tapa: a:t',
      'tapb: b:t',
      'eth0: a:m b:m',
      '0000:01:00.0: a:h b:h',
      '/run/vde.ctl: a:v b:v',
    ]);
  });

  test('every NIC of user networking is alone, and one that is restricted leads nowhere', () => {
    const vm = vmOf('a', [
      userNic('net0'),
      nicOf('net1', { kind: 'user', restrict: true }),
      nicOf('p', { kind: 'passt' }),
    ]);
    const { networks } = buildMap({ vms: [vm], networks: [] });
    expect(networks.map(({ id, uplink, subnet }) => ({ id, uplink, subnet }))).toEqual([
      { id: 'user:a:net0', uplink: 'outside', subnet: '10.0.2.0/24' },
      { id: 'user:a:net1', uplink: null, subnet: '10.0.2.0/24' },
      { id: 'passt:a:p', uplink: 'outside', subnet: null },
    ]);
  });
});

describe('managed networks', () => {
  test('are first, by name; where they lead follows from how they forward', () => {
    const networks = [
      networkOf('lab10'),
      networkOf('lab2', { forward: 'isolated' }),
      networkOf('lan', { forward: 'bridge', interface: 'eth1' }),
      networkOf('lan2', { forward: 'bridge' }),
    ];
    const map = buildMap({ vms: [vmOf('a', [mcastNic('x')])], networks });
    expect(map.networks.map(({ name, uplink }) => [name, uplink])).toEqual([
      ['lab2', null],
      ['lab10', 'outside'],
      ['lan', 'eth1'],
      ['lan2', 'host'],
      ['230.0.0.1:12345', null],
    ]);
  });

  test('one that a profile names and nobody has defined is told as missing', () => {
    const { networks } = buildMap({ vms: [vmOf('a', [networkNic('net0', 'ghost')])], networks: [] });
    expect(networks).toMatchObject([{ id: 'net:ghost', kind: 'managed', name: 'ghost', state: 'missing' }]);
  });

  test('a run whose record does not say what its profile said is told by what people see', () => {
    const { written: _mcast, ...mcast } = { ...mcastNic('x'), source: '230.0.0.1:12345' };
    const { written: _user, ...user } = { ...userNic('y'), source: 'user' };
    const { written: _network, ...network } = networkNic('z', 'lab');
    const map = buildMap({ vms: [vmOf('a', [mcast, user, network])], networks: [networkOf('lab')] });
    expect(map.networks.map(({ kind, name, uplink }) => [kind, name, uplink])).toEqual([
      ['managed', 'lab', 'outside'],
      ['other', 'mcast 230.0.0.1:12345', null],
      ['private', 'user', 'outside'],
    ]);
  });
});

test('numbers in names count as numbers', () => {
  expect(['web10', 'web2', 'a', 'web02', 'web2b'].toSorted(byText)).toEqual(['a', 'web02', 'web2', 'web2b', 'web10']);
});
