import { expect, test } from 'vitest';
import type { Endpoint } from '../../../src/profile/profile.ts';
import { renderKeyval } from '../../../src/qemu/option.ts';
import { aDgramNic, netdevOf, planOf, qemuWithout } from './a-cable.ts';

const [a, b]: readonly Endpoint[] = [{ path: '/run/a.sock' }, { path: '/run/b.sock' }];
const at = (host: string, port: number): Endpoint => ({ host, port });
const unix = aDgramNic({ local: a ?? at('', 0), remote: b ?? at('', 0) });
const udp = aDgramNic({ local: at('127.0.0.1', 6001), remote: at('127.0.0.1', 6002) });

test('QEMU is told what a careful person writes, in the old syntax and in JSON', () => {
  expect(renderKeyval(planOf(unix).netdev, 'type')).toBe(
    'dgram,id=net0,local.type=unix,local.path=/run/a.sock,remote.type=unix,remote.path=/run/b.sock',
  );
  expect(renderKeyval(planOf(udp).netdev, 'type')).toBe(
    'dgram,id=net0,local.type=inet,local.host=127.0.0.1,local.port=6001,remote.type=inet,remote.host=127.0.0.1,remote.port=6002',
  );
  expect(JSON.parse(netdevOf(udp, '10.0'))).toEqual({
    type: 'dgram',
    id: 'net0',
    local: { type: 'inet', host: '127.0.0.1', port: '6001' },
    remote: { type: 'inet', host: '127.0.0.1', port: '6002' },
  });
});

test('its own end is taken, the other one looked at', () => {
  expect(planOf(unix).steps).toMatchObject([
    { kind: 'socket-path', id: 'local:net0', path: '/run/a.sock', use: 'bind' },
    { kind: 'socket-path', id: 'remote:net0', path: '/run/b.sock', use: 'connect' },
  ]);
  expect(planOf(udp).steps).toMatchObject([{ kind: 'port', protocol: 'udp', address: '127.0.0.1', port: 6001 }]);
});

test('who can send frames is said', () => {
  expect(planOf(unix).notes).toEqual([]);
  expect(planOf(udp).notes).toEqual([
    expect.stringContaining('every user of this host can send frames to 127.0.0.1:6001'),
  ]);
  const far = aDgramNic({ local: at('192.0.2.1', 1), remote: at('192.0.2.2', 2) });
  expect(planOf(far).notes).toEqual([expect.stringContaining('in clear (192.0.2.2:2)')]);
});

test('one path spelled twice, an IPv6 address and a QEMU without dgram are refused', () => {
  expect(() => planOf(aDgramNic({ local: { path: '/a' }, remote: { path: '/a' } }))).toThrow(/both ends are \/a/);
  const six = aDgramNic({ local: at('::1', 1), remote: at('::1', 2) });
  expect(() => planOf(six)).toThrow(expect.objectContaining({ code: 'missing-feature' }));
  expect(() => planOf(udp, { qemu: qemuWithout('dgram') })).toThrow(
    expect.objectContaining({ code: 'missing-feature' }),
  );
});
