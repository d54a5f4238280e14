import { describe, expect, test } from 'vitest';
import { runPrivileged } from '../../../src/resources/privilege.ts';
import { link } from '../../../src/resources/link.ts';
import { numbersOf } from '../../../src/host/host-link.ts';
import { tapNode } from '../../../src/resources/tap-node.ts';
import type { LinkStep, TapNodeStep } from '../../../src/plan/step.ts';
import type { RunResult } from '../../../src/system/system.ts';
import { hurried } from '../hurried.ts';

function aSystem(uid: number, result: Partial<RunResult> = {}) {
  const calls: string[][] = [];
  const runNow = (tool: string, args: readonly string[]): RunResult => {
    calls.push([tool, ...args]);
    return { status: 0, stdout: '', stderr: '', ...result };
  };
  return { calls, system: { uid, runNow } };
}

const argv = ['ip', 'link', 'delete', 'dev', 'x'];

describe('the door to root’s rights', () => {
  test.each([
    ['root, as it is', 0, undefined, argv],
    ['root, whatever the configuration says', 0, 'noninteractive', argv],
    ['a user, without being asked', 1000, 'noninteractive', ['sudo', '-n', '--', ...argv]],
    ['a user, who is asked', 1000, 'ask', ['sudo', '--', ...argv]],
  ] as const)('%s', (...[, uid, sudo, words]) => {
    const { calls, system } = aSystem(uid);
    expect(runPrivileged(system, argv, { sudo })).toMatchObject({ status: 0 });
    expect(calls).toEqual([words]);
  });

  test('a user without leave starts nothing', () => {
    const { calls, system } = aSystem(1000);
    expect(() => runPrivileged(system, argv)).toThrow(expect.objectContaining({ code: 'permission', status: 3 }));
    expect(calls).toEqual([]);
  });

  test('sudo’s own refusal is told; a failure of the command is its caller’s', () => {
    const no = aSystem(1000, { status: 1, stderr: 'sudo: a password is required\n' });
    expect(() => runPrivileged(no.system, argv, { sudo: 'noninteractive' })).toThrow(
      expect.objectContaining({ code: 'permission', causes: ['sudo: a password is required'] }),
    );
    const failed = aSystem(1000, { status: 1, stderr: 'Cannot find device "x"\n' });
    expect(runPrivileged(failed.system, argv, { sudo: 'noninteractive' }).status).toBe(1);
  });
});

test('what is shown is what is run, sudo and all', () => {
  const step: LinkStep = {
    ...{ kind: 'link', id: 'tap:net0', needsRoot: true, name: 'x', alias: 'a', sudo: 'noninteractive' },
    commands: ['tuntap add dev x mode tap', 'link set dev x up'],
  };
  expect(link.describe(step)).toEqual({
    acquire: [
      { argv: ['sudo', '-n', '--', 'ip', '-batch', '-'], stdin: 'tuntap add dev x mode tap\nlink set dev x up\n' },
    ],
    release: [{ argv: ['sudo', '-n', '--', 'ip', 'link', 'delete', 'dev', 'x'] }],
  });
  const node: TapNodeStep = {
    ...{ kind: 'tap-node', id: 'n', needsRoot: true, link: 'x', index: 9, path: '/dev/tap9', own: '/dev/x' },
    ...{ fds: [5, 6], owner: { uid: 7, gid: 8 } },
  };
  expect(tapNode.describe(node)).toEqual({
    acquire: [
      { op: 'check-node', path: '/dev/tap9', link: 'x', index: 9 },
      { argv: ['chown', '7:8', '/dev/tap9'] },
      { argv: ['chmod', '0600', '/dev/tap9'] },
      { op: 'open', path: '/dev/tap9', fd: 5, mode: 'read-write' },
      { op: 'open', path: '/dev/tap9', fd: 6, mode: 'read-write' },
      { op: 'lock', path: '/dev/tap9', fd: 5 },
    ],
    release: [],
  });
});

test('udev is waited for before the device is looked at, where it is to be', async () => {
  const node: TapNodeStep = {
    ...{ kind: 'tap-node', id: 'n', needsRoot: true, link: 'no-such-link', index: 9, path: '/dev/tap9', own: '/dev/x' },
    ...{ fds: [5], owner: { uid: 7, gid: 8 }, sudo: 'noninteractive', settle: true },
  };
  const settle = ['udevadm', 'settle', '--timeout=10'];
  expect(tapNode.describe(node).acquire[0]).toEqual({ argv: settle });
  const calls: string[][] = [];
  const system = {
    uid: 1000,
    which: (tool: string) => `/bin/${tool}`,
    run: async (tool: string, args: readonly string[]) => {
      calls.push([tool, ...args]);
      return { status: 0, stdout: '', stderr: '' };
    },
  };
  const context = { system } as unknown as Parameters<typeof tapNode.acquire>[1];
  await expect(hurried(() => tapNode.acquire(node, context))).rejects.toMatchObject({ code: 'host-failed' });
  expect(calls).toEqual([settle]);
});

test('numbers of a device, as the kernel writes them', () => {
  expect(numbersOf(0x0103)).toBe('1:3');
  expect(numbersOf(246 * 256 + 1)).toBe('246:1');
  // a minor of more than eight bits: the upper ones stand above the major
  expect(numbersOf(0x10f62c)).toBe('246:300');
});
