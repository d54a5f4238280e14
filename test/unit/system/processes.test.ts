import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readBootId } from '../../../src/system/boot-id.ts';
import {
  findHolders,
  isAlive,
  killProcess,
  listPids,
  parseStat,
  readArguments,
  readIdentity,
  readProcess,
} from '../../../src/system/processes.ts';
import { isQemu, macsOf, nameOfQemu } from '../../../src/system/qemus.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(path.join(tmpdir(), 'qrun-proc-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('parseStat counts from after the last bracket', () => {
  const tail = Array.from({ length: 30 }, (_, index) => String(100 + index)).join(' ');
  test.each(['sleep', 'a) b (c', '((', ')', 'x y z', 'a) R 1 1'])('%s', (command) => {
    // state, parent, then the rest: the start time is the 20th from there
    expect(parseStat(`42 (${command}) S 7 ${tail}\n`)).toEqual({ command, state: 'S', parent: 7, startTime: 117 });
  });

  test.each([
    ['Z', 1, 'Z'],
    ['Z', 3, 'D'],
    ['S', 3, 'S'],
  ])('%s with %i threads is %s', (state, threads, told) => {
    const rest = Array.from({ length: 30 }, (_, index) => (index === 15 ? threads : 0)).join(' ');
    expect(parseStat(`42 (qemu) ${state} 7 ${rest}\n`)?.state).toBe(told);
  });

  test('nonsense is undefined', () => {
    expect(parseStat('')).toBeUndefined();
    expect(parseStat('42 (x) S')).toBeUndefined();
  });
});

test('readProcess tells of this process', () => {
  const found = readProcess(process.pid);
  expect(found).toMatchObject({ pid: process.pid, parent: process.ppid, uid: process.getuid?.() });
  expect(found?.argv.length).toBeGreaterThan(0);
  expect(found?.netns).toMatch(/^net:\[\d+\]$/);
});

test.each([0, -1, 1.5, 2 ** 30])('there is no process %d', (pid) => {
  expect(readProcess(pid)).toBeUndefined();
});

test('isAlive: the same pid with another start time or of another boot is somebody else', () => {
  const own = readIdentity(process.pid);
  if (own === undefined) throw new Error('no identity of our own');
  expect(own.bootId).toBe(readBootId());
  expect(isAlive(own)).toBe(true);
  expect(isAlive({ ...own, startTime: own.startTime + 1 })).toBe(false);
  expect(isAlive({ ...own, bootId: 'of-another-boot' })).toBe(false);
});

test('a zombie is dead', async () => {
  // sh would collect it between two commands: it ends when its parent is sleep, which does not
  const shell = spawn('sh', ['-c', 'read go <&3 & echo $!; exec sleep 60 3<&-'], {
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
  });
  const pid = await new Promise<number>((resolve) => shell.stdout?.once('data', (text) => resolve(Number(text))));
  while (readProcess(shell.pid ?? 0)?.command !== 'sleep') await new Promise((resolve) => setTimeout(resolve, 2));
  shell.stdio[3]?.destroy();
  let state = readProcess(pid);
  while (state !== undefined && state.state !== 'Z') {
    await new Promise((resolve) => setTimeout(resolve, 2));
    state = readProcess(pid);
  }
  expect(state?.state).toBe('Z');
  expect(isAlive({ pid, startTime: state?.startTime ?? 0, bootId: readBootId() })).toBe(false);
  expect(readArguments(pid)).toEqual([]);
  shell.kill('SIGKILL');
});

test('ABUSE 49: a played boot id counts only together with a state directory', () => {
  const real = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  expect(readBootId({ QRUN_TEST_BOOT_ID: 'played' })).toBe(real);
  expect(readBootId({ QRUN_TEST_BOOT_ID: 'played', QRUN_STATE_DIR: dir })).toBe('played');
});

test('findHolders finds by the file itself, not by its name', async () => {
  const file = path.join(dir, 'a');
  writeFileSync(file, '');
  const fd = openSync(file, 'r');
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  closeSync(fd);
  expect(findHolders(file)).toEqual([child.pid]);
  expect(findHolders(file, [process.pid])).toEqual([]);
  expect(findHolders(path.join(dir, 'none'))).toEqual([]);
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
  expect(findHolders(file)).toEqual([]);
});

test('killProcess: one that is gone is no error', () => {
  const { pid } = spawnSync('true');
  expect(() => killProcess(pid ?? 0)).not.toThrow();
});

test('listPids has this process', () => {
  expect(listPids()).toContain(process.pid);
});

test.each([
  [['/usr/bin/qemu-system-x86_64', '-M', 'q35'], true],
  [['qemu-system-aarch64'], true],
  [['/usr/libexec/qemu-kvm'], true],
  [['kvm'], true],
  [['/usr/bin/qemu-img', 'info'], false],
  [['vim', 'qemu-system-x86_64'], false],
  [[], false],
])('%j is QEMU: %s', (argv, expected) => {
  expect(isQemu(argv)).toBe(expected);
});

test('the MACs of a command line, in each of the ways to say them', () => {
  const argv = [
    'qemu-system-x86_64',
    '-device',
    '{"driver":"virtio-net-pci","mac":"52:54:00:00:00:01"}',
    '-device',
    'e1000,netdev=n,mac=52:54:00:00:00:02',
    '-nic',
    'user,mac=52:54:00:00:00:AB,model=e1000',
    '-net',
    'nic,macaddr=52:54:00:00:00:04',
    '-device',
    '{ "mac" : "52-54-00-00-00-05" }',
    '-smbios',
    'type=1,serial=52:54:00:00:00:99',
    '-device',
    'x,mac=53:00:00:00:00:01',
  ];
  expect(macsOf(argv)).toEqual([
    '52:54:00:00:00:01',
    '52:54:00:00:00:02',
    '52:54:00:00:00:ab',
    '52:54:00:00:00:04',
    '52:54:00:00:00:05',
  ]);
});

test.each([
  [['qemu', '-name', 'web1,process=x'], 'web1'],
  [['qemu', '-name', 'guest=db,debug-threads=on'], 'db'],
  [['qemu', '-name'], undefined],
  [['qemu'], undefined],
])('%j is named %s', (argv, name) => {
  expect(nameOfQemu(argv)).toBe(name);
});
