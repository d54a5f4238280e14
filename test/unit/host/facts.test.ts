import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseAccount, parseGroups, readIdentity, readRunAs } from '../../../src/host/accounts.ts';
import { readDiskFacts } from '../../../src/host/disk-facts.ts';
import { accessOf, allowsMode } from '../../../src/host/file-access.ts';
import { readKvmVerdict, writeKvmVerdict } from '../../../src/host/kvm.ts';
import { parseLinks } from '../../../src/host/links.ts';
import { hasDesktop } from '../../../src/host/read-facts.ts';
import { macsOfRows } from '../../../src/host/taken-macs.ts';
import { findUefi } from '../../../src/host/uefi.ts';
import type { VmName } from '../../../src/names.ts';
import { placesOf } from '../../../src/places.ts';
import type { Profile } from '../../../src/profile/profile.ts';
import { createSystem } from '../../../src/system/real.ts';
import { needsRoot } from '../../harness/needs.ts';

let dir: string;
const at = (name: string): string => path.join(dir, name);
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'qrun-facts-'));
  chmodSync(dir, 0o755);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('accounts', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/bash\nqrunner:x:7:7::/:/bin/sh\nqrun:x:998:997::/:/bin/false\nbroken:x:\n';

  test('a line of passwd', () => {
    expect(parseAccount(passwd, 'qrun')).toEqual({ name: 'qrun', uid: 998, gid: 997 });
    expect(parseAccount(passwd, 'qru')).toBeUndefined();
    expect(parseAccount(passwd, 'broken')).toBeUndefined();
  });

  test('groups: the own one and those that name the user', () => {
    const group = 'kvm:x:108:alice,qrun\ndisk:x:6:qrunner\nqrun:x:997:\n';
    expect(parseGroups(group, { name: 'qrun', gid: 997 })).toEqual([997, 108]);
  });

  test('this user', () => {
    expect(readIdentity(createSystem())).toMatchObject({ uid: process.getuid?.(), gid: process.getgid?.() });
  });

  test('QEMU is never run as root, nor as nobody in particular', () => {
    const system = createSystem();
    expect(() => readRunAs(system, 'root')).toThrow(expect.objectContaining({ code: 'invalid-profile' }));
    expect(() => readRunAs(system, 'no-such-user')).toThrow(expect.objectContaining({ code: 'host-failed' }));
    expect(() => readRunAs(system, '../x y')).toThrow(expect.objectContaining({ code: 'host-failed' }));
    expect(readRunAs(system, undefined).uid).toBeGreaterThan(0);
    expect(readRunAs(system, 'nobody')).toMatchObject({ name: 'nobody', uid: 65_534 });
  });
});

test.each([
  [0o640, 'owner', true, true],
  [0o640, 'group', true, false],
  [0o640, 'other', false, false],
  [0o046, 'owner', false, false],
  [0o006, 'other', true, true],
])('mode %o for its %s: read %s, write %s', (...[mode, who, read, write]) => {
  const stat = { uid: 1, gid: 2, mode: 0o100000 | mode };
  const user = { owner: { uid: 1, groups: [9] }, group: { uid: 3, groups: [9, 2] }, other: { uid: 3, groups: [9] } }[
    who
  ];
  if (user === undefined) throw new Error(who);
  expect([allowsMode(stat, 4, user), allowsMode(stat, 2, user)]).toEqual([read, write]);
});

test('what the user that root drops to may do counts, not what root may', (context) => {
  needsRoot(context);
  const access = accessOf({ name: 'nobody', uid: 65_534, gid: 65_534 });
  writeFileSync(at('a'), '', { mode: 0o644 });
  expect([access.mayRead(at('a')), access.mayWrite(at('a'))]).toEqual([true, false]);
  chmodSync(at('a'), 0o666);
  expect(access.mayWrite(at('a'))).toBe(true);
  chmodSync(dir, 0o700);
  expect([access.mayRead(at('a')), access.mayWrite(at('a'))]).toEqual([false, false]);
  expect(accessOf(undefined).mayRead(at('a'))).toBe(true);
});

describe('disks', () => {
  const header = () => ({ format: 'qcow2' as const });
  const options = () => ({
    places: placesOf({ env: { QRUN_STATE_DIR: at('state') }, uid: 1, home: dir, packageRoot: dir }),
    access: accessOf(undefined),
    readImageHeader: header,
  });
  const profileWith = (more: Partial<Profile>): Profile => ({ name: 'web1' as VmName, disks: [], ...more }) as Profile;
  const disk = (file: string) => ({ file, written: path.basename(file), format: 'qcow2' as const, readOnly: false });

  test('each file by its path, the place it would be made in instead too', () => {
    writeFileSync(at('a.qcow2'), 'x');
    writeFileSync(at('kernel'), 'x');
    symlinkSync('a.qcow2', at('link.qcow2'));
    const facts = readDiskFacts(
      profileWith({
        disks: [disk(at('a.qcow2')), { ...disk(at('new.qcow2')), base: at('link.qcow2') }],
        kernel: at('kernel'),
        initrd: at('none'),
      }),
      options(),
    );
    expect(facts[at('a.qcow2')]).toEqual({
      file: at('a.qcow2'),
      realFile: at('a.qcow2'),
      exists: true,
      readable: true,
      writable: true,
      image: { format: 'qcow2' },
    });
    expect(facts[at('link.qcow2')]?.realFile).toBe(at('a.qcow2'));
    expect(facts[at('new.qcow2')]).toEqual({ file: at('new.qcow2'), exists: false, writable: true });
    expect(facts[at('state/vms/web1/new.qcow2')]).toMatchObject({ exists: false });
    expect(facts[at('kernel')]?.image).toBeUndefined();
    expect(facts[at('none')]?.exists).toBe(false);
  });

  test('ABUSE 22: what is neither a file nor a block device is refused, and not opened', () => {
    execFileSync('mkfifo', [at('fifo')]);
    mkdirSync(at('dir'));
    for (const file of [at('fifo'), at('dir'), '/dev/zero']) {
      expect(() => readDiskFacts(profileWith({ disks: [disk(file)] }), options())).toThrow(
        expect.objectContaining({ code: 'invalid-profile' }),
      );
      expect(() => readDiskFacts(profileWith({ kernel: file }), options())).toThrow(
        expect.objectContaining({ code: 'invalid-profile' }),
      );
    }
  });

  test('a file in the place of a directory', () => {
    writeFileSync(at('a'), '');
    const facts = readDiskFacts(profileWith({ disks: [disk(at('a/b.qcow2'))] }), options());
    expect(facts[at('a/b.qcow2')]).toMatchObject({ exists: false, writable: false });
  });
});

describe('the verdict of a KVM smoke guest', () => {
  const qemu = { realFile: '/usr/bin/qemu-system-x86_64', version: { major: 7, minor: 2, micro: 22 } };

  test('holds for this kernel and this QEMU', () => {
    expect(readKvmVerdict(dir, qemu)).toBeUndefined();
    writeKvmVerdict(dir, qemu, { verdict: 'broken', why: 'it stopped' });
    expect(readKvmVerdict(dir, qemu)).toBe('broken');
    expect(readKvmVerdict(dir, { ...qemu, version: { major: 10, minor: 0, micro: 0 } })).toBeUndefined();
    expect(readKvmVerdict(dir, { ...qemu, realFile: '/opt/qemu' })).toBeUndefined();
  });

  test.each([
    [
      'another kernel',
      JSON.stringify({ v: 1, kernel: 'x', qemu: '/usr/bin/qemu-system-x86_64 7.2.22', verdict: 'broken' }),
    ],
    [
      'another word',
      JSON.stringify({ v: 1, kernel: release(), qemu: '/usr/bin/qemu-system-x86_64 7.2.22', verdict: 'maybe' }),
    ],
    ['garbage', '{'],
    ['a newer version', JSON.stringify({ v: 2 })],
  ])('%s counts for nothing', (_name, text) => {
    writeFileSync(at('kvm-verdict.json'), text);
    expect(readKvmVerdict(dir, qemu)).toBeUndefined();
    expect(statSync(at('kvm-verdict.json')).size).toBe(text.length);
  });
});

test('links of ip -j -details addr', () => {
  const rows = [
    {
      ifname: 'lo',
      link_type: 'loopback',
      address: '00:00:00:00:00:00',
      flags: ['LOOPBACK', 'UP'],
      addr_info: [{ family: 'inet', local: '127.0.0.1', scope: 'host' }],
    },
    {
      ifname: 'br0',
      link_type: 'ether',
      address: '02:00:00:00:00:01',
      flags: ['BROADCAST'],
      linkinfo: { info_kind: 'bridge' },
      addr_info: [
        { family: 'inet', local: '10.0.0.1', scope: 'global' },
        { family: 'inet6', local: 'fe80::1', scope: 'link' },
        { family: 'inet6', local: '2001:db8::1', scope: 'global' },
      ],
    },
    {},
    'nonsense',
  ];
  expect(parseLinks(JSON.stringify(rows))).toEqual([
    { name: 'lo', addresses: ['127.0.0.1'], up: true },
    { name: 'br0', addresses: ['10.0.0.1', '2001:db8::1'], up: false, mac: '02:00:00:00:00:01', kind: 'bridge' },
  ]);
  expect(parseLinks('')).toEqual([]);
});

test('MACs in what ip and bridge print', () => {
  expect(macsOfRows([{ lladdr: '52:54:00:AA:BB:CC' }, { dst: '10.0.0.1' }, null, 7], 'lladdr')).toEqual([
    '52:54:00:aa:bb:cc',
  ]);
  expect(macsOfRows({}, 'lladdr')).toEqual([]);
});

test('UEFI firmware: the first pair of which both files are there', () => {
  const there = new Set([
    '/usr/share/OVMF/OVMF_CODE_4M.fd',
    '/usr/share/OVMF/OVMF_CODE.fd',
    '/usr/share/OVMF/OVMF_VARS.fd',
  ]);
  expect(findUefi('/usr/bin/qemu-system-x86_64', (file) => there.has(file))).toEqual({
    code: '/usr/share/OVMF/OVMF_CODE.fd',
    vars: '/usr/share/OVMF/OVMF_VARS.fd',
  });
  expect(findUefi('/usr/bin/qemu-system-x86_64', () => false)).toBeUndefined();
  expect(findUefi('/usr/bin/qemu-system-aarch64', () => true)?.code).toMatch(/AAVMF/);
});

test.each([
  [{}, false],
  [{ DISPLAY: '' }, false],
  [{ DISPLAY: ':0' }, true],
  [{ WAYLAND_DISPLAY: 'wayland-0' }, true],
])('%j is a desktop: %s', (env, expected) => {
  expect(hasDesktop(env)).toBe(expected);
});
