import { readFileSync, writeSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { exitStatusOf, QrunError } from '../../../src/errors.ts';
import { hostFailureOf } from '../../../src/system/failure.ts';

const thrownBy = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('an error that nobody caught', () => {
  test('that the host is to blame for is a 3 with the path', () => {
    for (const [code, words] of [
      ['ENOSPC', 'no space left on the device'],
      ['EROFS', 'the file system is read-only'],
      ['EMFILE', 'too many open files'],
    ] as const) {
      const error = hostFailureOf(Object.assign(new Error(code), { code, syscall: 'open', path: '/x/y' }));
      expect(error).toMatchObject({
        code: 'host-failed',
        message: expect.stringContaining(`/x/y: open failed: ${words}`),
      });
      // the file may not be there: its directory is
      expect((error as QrunError).hint).not.toMatch(/\/y/);
      expect(exitStatusOf(error)).toBe(3);
    }
    const write = Object.assign(new Error('full'), { code: 'ENOSPC', syscall: 'write' });
    expect(hostFailureOf(write)).toMatchObject({ message: 'this host: write failed: no space left on the device' });
  });

  test('rights are looked for along the path; a hint is one command, whatever the path has in it', () => {
    const hintOf = (code: string, path?: string): string | undefined =>
      (hostFailureOf(Object.assign(new Error(code), { code, syscall: 'open', path })) as QrunError).hint;
    expect(hintOf('EACCES', '/a/my vms/x;y.yaml')).toBe("namei -l '/a/my vms/x;y.yaml'");
    expect(hintOf('EPERM', '/a/b')).toBe('namei -l /a/b');
    expect(hintOf('EACCES')).toBeUndefined();
    expect(hintOf('ENOSPC', '/a/my vms/x')).toBe("df '/a/my vms'");
    expect(hintOf('EROFS', "/a/it's/x")).toBe("findmnt -T '/a/it'\\''s'");
  });

  test('a bug stays a bug', () => {
    const missing = thrownBy(() => readFileSync('/nonexistent/file'));
    const closed = thrownBy(() => writeSync(999_999, 'x'));
    for (const error of [missing, closed, new TypeError('x is not a function'), 'a string', undefined]) {
      expect(hostFailureOf(error)).toBe(error);
      expect(exitStatusOf(error)).toBe(70);
    }
    const told = new QrunError('in-use', 'x');
    expect(hostFailureOf(told)).toBe(told);
  });
});
