import { describe, expect, test } from 'vitest';
import type { Endpoint } from '../../../src/profile/profile.ts';
import { renderKeyval } from '../../../src/qemu/option.ts';
import { capabilitiesOf } from '../qemu/a-profile.ts';
import { aStreamNic, netdevOf, planOf } from './a-cable.ts';

const unix: Endpoint = { path: '/run/lab/a,b.sock' };
const tcp: Endpoint = { host: '127.0.0.1', port: 5000 };
const keyval = (ends: Parameters<typeof aStreamNic>[0]): string =>
  renderKeyval(planOf(aStreamNic(ends)).netdev, 'type');

describe('what QEMU is told', () => {
  test('is what a careful person writes', () => {
    expect(keyval({ listen: unix })).toBe('stream,id=net0,server=on,addr.type=unix,addr.path=/run/lab/a,,b.sock');
    expect(keyval({ connect: unix })).toBe('stream,id=net0,server=off,addr.type=unix,addr.path=/run/lab/a,,b.sock');
    expect(keyval({ listen: tcp })).toBe('stream,id=net0,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=5000');
    expect(keyval({ connect: { host: '::1', port: 1 } })).toBe(
      'stream,id=net0,server=off,addr.type=inet,addr.host=::1,addr.port=1',
    );
  });

  test('in JSON, which takes a port as text', () => {
    expect(JSON.parse(netdevOf(aStreamNic({ listen: tcp }), '7.2'))).toEqual({
      type: 'stream',
      id: 'net0',
      server: true,
      addr: { type: 'inet', host: '127.0.0.1', port: '5000' },
    });
  });

  test('one that connects tries again, in the words that this QEMU has for it; one that listens need not', () => {
    const ofMembers = (...members: string[]) => {
      const qemu = capabilitiesOf('7.2');
      const netdevMembers = { ...qemu.netdevMembers, stream: ['addr', 'server', ...members] };
      return planOf(aStreamNic({ connect: tcp }), { qemu: { ...qemu, netdevMembers } }).netdev;
    };
    expect(JSON.parse(netdevOf(aStreamNic({ connect: tcp }), '10.0'))).toMatchObject({ 'reconnect-ms': 1000 });
    expect(ofMembers('reconnect', 'reconnect-ms')).not.toHaveProperty('reconnect');
    expect(ofMembers('reconnect')).toMatchObject({ reconnect: 1 });
    expect(ofMembers()).toEqual({ type: 'stream', id: 'net0', server: false, addr: expect.anything() });
    expect(netdevOf(aStreamNic({ listen: tcp }), '10.0')).not.toContain('reconnect');
  });

  test('a QEMU before 7.2 has no stream, and is said to be one', () => {
    expect(() => netdevOf(aStreamNic({ listen: tcp }), '6.2')).toThrow(
      expect.objectContaining({ code: 'missing-feature', message: expect.stringContaining('from 7.2 on') }),
    );
  });
});

test('what it takes: a port or a path to listen on; a path to connect to is looked at', () => {
  expect(planOf(aStreamNic({ listen: tcp })).steps).toMatchObject([
    { kind: 'port', id: 'listen:net0', protocol: 'tcp', address: '127.0.0.1', port: 5000 },
  ]);
  const runAs = { name: 'nobody', uid: 65_534, gid: 65_534 };
  expect(planOf(aStreamNic({ listen: unix }), { runAs }).steps).toEqual([
    { kind: 'socket-path', id: 'listen:net0', needsRoot: false, path: '/run/lab/a,b.sock', use: 'bind', runAs },
  ]);
  expect(planOf(aStreamNic({ connect: unix })).steps).toMatchObject([{ kind: 'socket-path', use: 'connect' }]);
  expect(planOf(aStreamNic({ connect: tcp })).steps).toEqual([]);
});

test('qrun is to look whether it was made', () => {
  expect(planOf(aStreamNic({ listen: tcp })).link).toBe('listens');
  expect(planOf(aStreamNic({ connect: tcp })).link).toBe('connects');
});

test.each<[Parameters<typeof aStreamNic>[0], RegExp | undefined]>([
  [{ listen: unix }, undefined],
  [{ connect: unix }, undefined],
  [{ connect: tcp }, undefined],
  [{ listen: tcp }, /every user of this host can connect to 127\.0\.0\.1:5000/],
  [{ listen: { host: '0.0.0.0', port: 5000 } }, /in clear/],
  [{ connect: { host: 'lab.example', port: 5000 } }, /in clear \(lab\.example:5000\)/],
  [{ connect: { host: '2001:db8::1', port: 5000 } }, /in clear \(\[2001:db8::1\]:5000\)/],
])('who can get at the frames of %j', (ends, note) => {
  expect(planOf(aStreamNic(ends)).notes).toEqual(note === undefined ? [] : [expect.stringMatching(note)]);
});
