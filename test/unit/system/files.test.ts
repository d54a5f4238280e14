import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import {
  createExclusive,
  openRegular,
  readOwned,
  readTail,
  stageFiles,
  writeDurable,
  writeQuick,
} from '../../../src/system/files.ts';

let dir: string;
const at = (name: string): string => path.join(dir, name);
beforeEach(() => (dir = mkdtempSync(path.join(tmpdir(), 'qrun-files-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** The QrunError that it throws; anything else fails the test. */
function errorOf(act: () => unknown): QrunError {
  try {
    act();
  } catch (error) {
    if (error instanceof QrunError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe.each([
  ['writeDurable', writeDurable],
  ['writeQuick', writeQuick],
])('%s', (_name, write) => {
  test('replaces the whole text, 0600, and leaves nothing beside it', () => {
    writeFileSync(at('a'), 'a much longer text than the new one', { mode: 0o644 });
    write(at('a'), 'new');
    expect(readFileSync(at('a'), 'utf8')).toBe('new');
    expect(statSync(at('a')).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(['a']);
  });

  test('takes a mode', () => {
    write(at('a'), 'x', { mode: 0o644 });
    expect(statSync(at('a')).mode & 0o777).toBe(0o644);
  });

  test('a reader that has the old file open keeps the old text', () => {
    write(at('a'), 'old');
    const before = statSync(at('a')).ino;
    write(at('a'), 'new');
    expect(statSync(at('a')).ino).not.toBe(before);
  });

  test('ABUSE 42: a planted symlink is replaced, its victim is unchanged', () => {
    writeFileSync(at('victim'), 'precious');
    symlinkSync(at('victim'), at('a'));
    write(at('a'), 'new');
    expect(readFileSync(at('victim'), 'utf8')).toBe('precious');
    expect(lstatSync(at('a')).isSymbolicLink()).toBe(false);
  });

  test('a directory of that name: an error that names it, and no draft is left', () => {
    mkdirSync(at('a'));
    const error = errorOf(() => write(at('a'), 'x'));
    expect(error.code).toBe('host-failed');
    expect(error.message).toContain(at('a'));
    expect(readdirSync(dir)).toEqual(['a']);
  });

  test('a missing directory is named', () => {
    expect(errorOf(() => write(at('no/a'), 'x')).message).toMatch(/no\/a: cannot write it: no such file/);
  });
});

test('createExclusive makes a file once', () => {
  expect(createExclusive(at('a'), 'first')).toBe(true);
  expect(createExclusive(at('a'), 'second')).toBe(false);
  expect(readFileSync(at('a'), 'utf8')).toBe('first');
});

test('ABUSE 42: createExclusive does not follow a dangling symlink', () => {
  symlinkSync(at('elsewhere'), at('a'));
  expect(createExclusive(at('a'), 'x')).toBe(false);
  expect(readdirSync(dir)).toEqual(['a']);
});

describe('ABUSE 4: only regular files are opened, and nothing is waited for', () => {
  test.each<[string, (file: string) => void, RegExp]>([
    ['a symlink', (file) => symlinkSync('/etc/passwd', file), /symbolic link/],
    ['a FIFO', (file) => execFileSync('mkfifo', [file]), /a FIFO, not a regular file/],
    ['a directory', (file) => mkdirSync(file), /a directory, not a regular file/],
  ])('%s', (_name, make, message) => {
    make(at('a'));
    const error = errorOf(() => readOwned(at('a'), { maxBytes: 1024 }));
    expect(error.code).toBe('unsafe-file');
    expect(error.message).toMatch(message);
  });

  test('a device', () => {
    expect(errorOf(() => readOwned('/dev/zero', { maxBytes: 1024 })).message).toMatch(/a device/);
  });

  test('a socket', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at('s'), resolve));
    expect(errorOf(() => openRegular(at('s'), { code: 'unsafe-state' })).code).toBe('unsafe-state');
    server.close();
  });
});

test('readOwned gives bytes, text and the stat of that very file', () => {
  writeFileSync(at('a'), 'näme');
  const read = readOwned(at('a'), { maxBytes: 100 });
  expect(read?.text).toBe('näme');
  expect(read?.bytes).toHaveLength(5);
  expect(read?.stat.ino).toBe(statSync(at('a')).ino);
});

test('readOwned: absent is undefined, also below a file; too large is refused', () => {
  writeFileSync(at('a'), 'x'.repeat(2049));
  expect(readOwned(at('b'), { maxBytes: 1 })).toBeUndefined();
  expect(readOwned(at('a/b'), { maxBytes: 1 })).toBeUndefined();
  expect(errorOf(() => readOwned(at('a'), { maxBytes: 2048 })).message).toMatch(/larger than 2 KiB/);
  expect(readOwned(at('a'), { maxBytes: 2049 })?.bytes).toHaveLength(2049);
});

test('a file of /proc says size 0 and is read all the same', () => {
  expect(readOwned('/proc/self/status', { maxBytes: 65_536 })?.text).toContain('Pid:');
});

test('readTail gives whole lines of the end', () => {
  writeFileSync(at('a'), 'first\nsecond\nthird\n');
  expect(readTail(at('a'), 100)).toBe('first\nsecond\nthird\n');
  expect(readTail(at('a'), 10)).toBe('third\n');
  expect(readTail(at('none'), 10)).toBe('');
});

describe('stageFiles', () => {
  const both = () => [
    { path: at('a'), content: 'new a' },
    { path: at('b'), content: 'new b' },
  ];

  test('changes nothing before it is told to, and then everything', () => {
    writeFileSync(at('a'), 'old a');
    const staged = stageFiles(both());
    expect(readFileSync(at('a'), 'utf8')).toBe('old a');
    staged.keep();
    staged.drop();
    expect(['a', 'b'].map((name) => readFileSync(at(name), 'utf8'))).toEqual(['new a', 'new b']);
    expect(readdirSync(dir).toSorted()).toEqual(['a', 'b']);
    expect(statSync(at('a')).mode & 0o777).toBe(0o600);
  });

  test('dropped, or with one that cannot be written, it leaves all as it was', () => {
    writeFileSync(at('a'), 'old a');
    stageFiles(both()).drop();
    const error = errorOf(() => stageFiles([...both(), { path: at('none/c'), content: 'c' }]));
    expect(error.message).toContain(at('none/c'));
    expect(readdirSync(dir)).toEqual(['a']);
    expect(readFileSync(at('a'), 'utf8')).toBe('old a');
  });
});
