import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseGain } from '../../../src/host/bridge-door.ts';
import {
  confPathIn,
  faultOfRootsFile,
  isNosuid,
  parseCapabilities,
  readBridgeHelper,
  rightsOf,
} from '../../../src/host/bridge-helper.ts';
import { parseBridge, parseInterfaceNames } from '../../../src/host/bridges.ts';
import { addressesMet, parseNeighbours } from '../../../src/host/neighbours.ts';
import { parseTapName } from '../../../src/host/tap-of.ts';

describe('capabilities of a file, as getcap says them', () => {
  test.each([
    [' cap_net_admin=ep', ['net_admin']],
    [' cap_net_admin=eip', ['net_admin']],
    [' = cap_net_admin+ep', ['net_admin']],
    [' cap_net_raw,cap_net_admin=ep', ['net_raw', 'net_admin']],
    [' =ep', ['all']],
    [' cap_net_admin=p', []],
    [' cap_net_admin=i', []],
    [' cap_net_admin=p cap_net_raw=ep', ['net_raw']],
    [' =', []],
    ['', []],
  ])('%j', (text, names) => {
    expect(parseCapabilities(`${text}\n`)).toEqual(names);
  });

  test.each([
    [false, ' cap_net_admin=ep', 'capability'],
    [false, ' cap_net_raw=ep', 'none'],
    [false, '', 'none'],
    [false, undefined, 'unknown'],
    [true, '', 'setuid'],
    [true, undefined, 'setuid'],
    [true, ' cap_net_admin=ep', 'mixed'],
    [true, ' =', 'mixed'],
    [true, ' =ep', 'capability'],
  ])('setuid %s with %j is %s', (setuid, text, rights) => {
    expect(rightsOf(setuid, text).rights).toBe(rights);
  });
});

test('the mount that a file is on is the last of the longest', () => {
  const info = [
    '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '30 22 0:30 / /usr rw,nosuid - ext4 /dev/vdb rw',
    String.raw`31 22 0:31 / /opt/a\040b rw,nosuid - tmpfs none rw`,
    '32 30 0:32 / /usr/lib/h rw - ext4 /dev/vda rw',
  ].join('\n');
  expect(isNosuid('/usr/lib/x', info)).toBe(true);
  expect(isNosuid('/usr/lib/h', info)).toBe(false);
  expect(isNosuid('/usr2/lib', info)).toBe(false);
  expect(isNosuid('/opt/a b/x', info)).toBe(true);
  expect(isNosuid('/usr/lib/x', `${info}\n40 30 0:40 / /usr rw - ext4 /dev/vdc rw`)).toBe(false);
});

test('the configuration file is what is compiled in', () => {
  const program = (text: string): Buffer =>
    Buffer.concat([Buffer.from([1, 2, 0]), Buffer.from(text), Buffer.from([0, 9])]);
  expect(confPathIn(program('/etc/qemu-kvm/bridge.conf'))).toBe('/etc/qemu-kvm/bridge.conf');
  expect(confPathIn(program('/usr/local/libexec/../etc/qemu/bridge.conf'))).toBe('/usr/local/etc/qemu/bridge.conf');
  expect(confPathIn(program('qemu/bridge.conf'))).toBeUndefined();
  expect(confPathIn(Buffer.from('#!/bin/sh\n'))).toBeUndefined();
});

test('whether a program can gain rights, by /proc/PID/status', () => {
  expect(parseGain('CapBnd:\t000001ffffffffff\nNoNewPrivs:\t0\n')).toBe('ok');
  expect(parseGain('CapBnd:\t000001ffffffffff\nNoNewPrivs:\t1\n')).toBe('no-new-privs');
  expect(parseGain('CapBnd:\t00000000a80425fb\nNoNewPrivs:\t0\n')).toBe('bounded');
  expect(parseGain('')).toBe('ok');
});

test('bridges, interfaces and taps, as the kernel and ip tell them', () => {
  expect(parseInterfaceNames('Inter-|\n face |\n    lo: 1 2\nbr0:3 4\n a:b: 5\n')).toEqual(['lo', 'br0', 'a:b']);
  const row = { ifname: 'br0', flags: ['BROADCAST', 'UP'], mtu: 1400, linkinfo: { info_kind: 'bridge' } };
  expect(parseBridge('br0', JSON.stringify([{}, row]))).toEqual({ name: 'br0', state: 'bridge', up: true, mtu: 1400 });
  const port = { ifname: 'eth0', flags: [], mtu: 1500, master: 'br0', linkinfo: { info_slave_kind: 'bridge' } };
  expect(parseBridge('eth0', JSON.stringify([port]))).toMatchObject({ state: 'other', up: false, portOf: 'br0' });
  expect(parseBridge('br0', '')).toBeUndefined();
  expect(parseBridge('br0', '{}')).toBeUndefined();
  expect(parseTapName('pos:\t0\nflags:\t0104002\nmnt_id:\t25\niff:\ttap0\n')).toBe('tap0');
  expect(parseTapName('pos:\t0\n')).toBeUndefined();
});

test('neighbours are those that have answered', () => {
  const text = [
    'IP address       HW type     Flags       HW address            Mask     Device',
    '10.9.0.7         0x1         0x2         52:54:00:AA:00:01     *        br0',
    '10.9.0.8         0x1         0x0         00:00:00:00:00:00     *        br0',
    '',
  ].join('\n');
  const neighbours = parseNeighbours(text);
  expect(neighbours).toEqual([{ address: '10.9.0.7', mac: '52:54:00:aa:00:01', interface: 'br0' }]);
  expect(addressesMet('52:54:00:aa:00:01', neighbours)).toEqual(['10.9.0.7']);
  expect(addressesMet('52:54:00:aa:00:02', neighbours)).toEqual([]);
});

describe('where it is', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'qhelper-'));
    mkdirSync(path.join(dir, 'bin'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const answer = { status: 0, stdout: '', stderr: '' };
  const search = (compiledIn: string | undefined, written?: string, stdout = '') =>
    readBridgeHelper({
      system: {
        uid: 1,
        which: (tool) => `/usr/sbin/${tool}`,
        runNow: (_, [file]) => ({ ...answer, stdout: `${file}${stdout}\n` }),
      },
      compiledIn,
      written,
      runAs: undefined,
      user: { name: 'alice', gid: 1 },
    });
  const helper = (name: string, mode = 0o755): string => {
    const file = path.join(dir, 'bin', name);
    writeFileSync(file, 'x\0/etc/lab/bridge.conf\0', { mode });
    chmodSync(file, mode);
    return file;
  };

  test('as QEMU knows it, with its file and its rights', () => {
    const file = helper('h');
    expect(search(file, undefined, ' cap_net_admin=ep')).toEqual({
      file,
      found: true,
      told: false,
      rights: 'capability',
      gains: ['net_admin'],
      conf: '/etc/lab/bridge.conf',
    });
  });

  test('one that a profile names is foreign when QEMU’s own is another', () => {
    const own = helper('own');
    expect(search(own, helper('other')).foreign).toBe(true);
    expect(search(own, own).foreign).toBeUndefined();
    const link = path.join(dir, 'bin', 'link');
    symlinkSync(own, link);
    expect(search(own, link).foreign).toBeUndefined();
  });

  test('one that is not there is named', () => {
    const gone = path.join(dir, 'bin', 'gone');
    expect(search(undefined, gone)).toMatchObject({ file: gone, found: false, told: true });
    // a directory is no helper
    expect(search(undefined, dir)).toMatchObject({ file: dir, found: false });
  });

  test('ABUSE 25: a profile’s own is looked at, and not opened unless it is root’s alone', () => {
    const mine = helper('mine');
    const fault = process.getuid?.() === 0 ? undefined : /belongs to uid/;
    if (fault !== undefined) expect(search(undefined, mine).unsafe).toMatch(fault);
    expect(faultOfRootsFile(helper('writable', 0o775))).toMatch(/can be written by others|belongs to uid/);
    symlinkSync('/usr/bin/env', path.join(dir, 'bin', 'env'));
    expect(search(undefined, helper('open', 0o777))).toMatchObject({
      rights: 'unknown',
      conf: '/etc/qemu/bridge.conf',
    });
    expect(faultOfRootsFile('/usr/bin/env')).toBeUndefined();
    chmodSync(path.join(dir, 'bin'), 0o777);
    expect(faultOfRootsFile(helper('below'))).toMatch(/can be written by others|belongs to/);
    expect(faultOfRootsFile(path.join(dir, 'bin', 'none'))).toMatch(/does not exist/);
  });
});
