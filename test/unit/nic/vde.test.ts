import { describe, expect, test } from 'vitest';
import type { VdeNic } from '../../../src/profile/profile.ts';
import { renderKeyval } from '../../../src/qemu/option.ts';
import { aUserNic } from '../qemu/a-profile.ts';
import { netdevOf, planOf, qemuWithout } from './a-cable.ts';

const { id, model, queues, vhost } = aUserNic();
const aVdeNic = (changes: Partial<VdeNic> = {}): VdeNic => ({
  id,
  model,
  queues,
  vhost,
  kind: 'vde',
  socket: '/run/vde.ctl',
  ...changes,
});

describe('what QEMU is told', () => {
  test('is what a careful person writes', () => {
    const keyval = (changes: Partial<VdeNic> = {}): string => renderKeyval(planOf(aVdeNic(changes)).netdev, 'type');
    expect(keyval()).toBe('vde,id=net0,sock=/run/vde.ctl');
    expect(keyval({ socket: '/run/a,b', port: 5, group: 'users' })).toBe(
      'vde,id=net0,sock=/run/a,,b,port=5,group=users',
    );
  });

  test('in JSON, where rights are a number', () => {
    expect(JSON.parse(netdevOf(aVdeNic({ mode: 0o660 }), '7.2'))).toEqual({
      type: 'vde',
      id: 'net0',
      sock: '/run/vde.ctl',
      mode: 432,
    });
  });

  test('a QEMU that is built without it is said to be one', () => {
    expect(() => planOf(aVdeNic(), { qemu: qemuWithout('vde') })).toThrow(
      expect.objectContaining({ code: 'missing-feature', hint: expect.stringContaining('apt-get install') }),
    );
  });
});

test('the switch is looked at as whoever QEMU runs as', () => {
  const runAs = { name: 'nobody', uid: 65_534, gid: 65_534 };
  const step = { kind: 'vde-switch', id: 'switch:net0', needsRoot: false, directory: '/run/vde.ctl' };
  expect(planOf(aVdeNic()).steps).toEqual([step]);
  expect(planOf(aVdeNic(), { runAs }).steps).toEqual([{ ...step, runAs }]);
});

test('a port of its own may be that of others too, and that is said', () => {
  expect(planOf(aVdeNic()).notes).toBeUndefined();
  expect(planOf(aVdeNic({ port: 5 })).notes).toEqual([expect.stringContaining('port 5')]);
  expect(planOf(aVdeNic({ port: 5 })).source).toBe('switch /run/vde.ctl, port 5');
});
