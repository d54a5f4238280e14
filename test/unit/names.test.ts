import { describe, expect, test } from 'vitest';
import { faultOfIfName, isVmName, parseMac, parseVmName } from '../../src/names.ts';
import { placesOf } from '../../src/places.ts';

describe('ABUSE 16: addresses of NICs', () => {
  test.each([
    ['52:54:00:12:ab:cd', '52:54:00:12:ab:cd'],
    ['52:54:00:12:AB:CD', '52:54:00:12:ab:cd'],
    ['52-54-00-12-ab-cd', '52:54:00:12:ab:cd'],
    ['02:00:00:00:00:00', '02:00:00:00:00:00'],
  ])('%s is %s', (text, mac) => {
    expect(parseMac(text)).toEqual({ mac });
  });

  test.each([
    ['53:54:00:12:34:56', /multicast/],
    ['01:00:5e:00:00:01', /multicast/],
    ['00:00:00:00:00:00', /zero/],
    ['ff:ff:ff:ff:ff:ff', /broadcast/],
    ['52:54:00:12:34', /not a MAC/],
    ['52:54:00:12:34:56:78', /not a MAC/],
    ['52:54:00:12:34:5', /not a MAC/],
    ['52:54:00:12:34:5g', /not a MAC/],
    ['525400123456', /not a MAC/],
    [' 52:54:00:12:34:56', /not a MAC/],
    ['52:54:00:12:34:56\n', /not a MAC/],
    ['', /not a MAC/],
  ])('%j is refused', (text, fault) => {
    expect(parseMac(text)).toEqual({ fault: expect.stringMatching(fault) });
  });
});

test.each(['a', 'web1', 'A.b_c-d', '0', 'x'.repeat(40)])('%s is a VM name', (name) => {
  expect(parseVmName(name)).toBe(name);
});

test.each(['', '.', '..', '.a', '-a', '_a', 'a/b', 'a b', 'a\n', 'a\0', 'ü', 'x'.repeat(41)])(
  'ABUSE 2: %j is no VM name',
  (name) => {
    expect(isVmName(name)).toBe(false);
    expect(() => parseVmName(name)).toThrow(expect.objectContaining({ code: 'invalid-name' }));
  },
);

test.each(['eth0', 'br-lan', 'enp0s31f6', 'wlan0.100', 'x'.repeat(15)])('%s is an interface name', (name) => {
  expect(faultOfIfName(name)).toBeUndefined();
});

test.each(['', '.', '..', 'a/b', 'a%d', 'a b', 'a:b', 'a\t', 'x'.repeat(16), 'ü'.repeat(8)])(
  '%j is no interface name',
  (name) => {
    expect(faultOfIfName(name)).toBeTypeOf('string');
  },
);

describe('places', () => {
  const at = (env: Record<string, string>, uid = 1000) => placesOf({ env, uid, home: '/home/a', packageRoot: '/pkg' });

  test('of root', () => {
    expect(at({}, 0)).toEqual({
      config: ['/etc/qrun'],
      examples: '/pkg/profiles',
      state: '/var/lib/qrun',
      runtime: '/run/qrun',
      cache: '/var/cache/qrun',
      host: '/var/lib/qrun/host',
    });
  });

  test('of a user, with and without the XDG variables; a relative one does not count', () => {
    expect(at({})).toMatchObject({
      config: ['/home/a/.config/qrun', '/etc/qrun'],
      state: '/home/a/.local/state/qrun',
      runtime: '/tmp/qrun-1000',
      cache: '/home/a/.cache/qrun',
    });
    expect(
      at({ XDG_STATE_HOME: 'rel', XDG_RUNTIME_DIR: '/run/user/1000', XDG_CONFIG_HOME: '/c', XDG_CACHE_HOME: '/k' }),
    ).toMatchObject({
      config: ['/c/qrun', '/etc/qrun'],
      state: '/home/a/.local/state/qrun',
      runtime: '/run/user/1000/qrun',
      cache: '/k/qrun',
    });
  });

  test('the overrides replace everything, for root and for users', () => {
    const env = { QRUN_CONFIG_DIR: '/1', QRUN_STATE_DIR: '/2', QRUN_RUNTIME_DIR: '/3', QRUN_CACHE_DIR: '/4' };
    for (const uid of [0, 1000])
      expect(at(env, uid)).toMatchObject({ config: ['/1'], state: '/2', runtime: '/3', cache: '/4' });
  });
});
