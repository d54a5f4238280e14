import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findProfileFile, listProfiles, readProfileFile } from '../../../src/host/profile-files.ts';
import { placesOf, type Places } from '../../../src/places.ts';
import { needsRoot } from '../../harness/needs.ts';

const uid = process.getuid?.() ?? 0;
const other = 12_345;
let dir: string;
let places: Places;
const at = (name: string): string => path.join(dir, name);

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'qrun-profiles-'));
  chmodSync(dir, 0o755);
  for (const name of ['own/profiles', 'etc/profiles', 'package/profiles']) mkdirSync(at(name), { recursive: true });
  const base = placesOf({ env: { QRUN_CONFIG_DIR: at('own') }, uid, home: dir, packageRoot: at('package') });
  places = { ...base, config: [at('own'), at('etc')] };
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const read = (argument: string, more: { name?: string; uid?: number; env?: Record<string, string> } = {}) =>
  readProfileFile(argument, {
    places,
    system: { uid: more.uid ?? uid, env: more.env ?? {} },
    ...(more.name !== undefined && { name: more.name }),
  });
const refusal = (code: string) => expect.objectContaining({ name: 'QrunError', code });

describe('where a name is looked for', () => {
  test('own, then the host’s, then the examples', () => {
    for (const [index, where] of ['package', 'etc', 'own'].entries()) {
      writeFileSync(at(`${where}/profiles/web1.yaml`), `# ${index}\n`);
      expect(read('web1')).toEqual({ name: 'web1', file: at(`${where}/profiles/web1.yaml`), text: `# ${index}\n` });
    }
  });

  test('--name gives another name, and is checked', () => {
    writeFileSync(at('own/profiles/web1.yaml'), '');
    expect(read('web1', { name: 'web2' }).name).toBe('web2');
    expect(() => read('web1', { name: '../x' })).toThrow(refusal('invalid-name'));
  });

  test('an unknown name says where it looked, and what may have been meant', () => {
    writeFileSync(at('own/profiles/web1.yaml'), '');
    expect(() => read('wbe1')).toThrow(
      expect.objectContaining({
        code: 'unknown-name',
        message: expect.stringContaining('did you mean web1?'),
        causes: [expect.stringContaining(at('etc/profiles'))],
      }),
    );
  });
});

describe('a path', () => {
  test('is one if it has a slash or ends in .yaml; its base name is the name', () => {
    writeFileSync(at('web1.yaml'), 'x: 1\n');
    expect(read(at('web1.yaml'))).toMatchObject({ name: 'web1', file: at('web1.yaml') });
    const relative = path.relative(process.cwd(), at('web1.yaml'));
    expect(read(relative).file).toBe(at('web1.yaml'));
    expect(() => read('web1.yaml')).toThrow(refusal('unknown-name'));
  });

  test('with --name any file will do', () => {
    writeFileSync(at('a profile'), 'x: 1\n');
    expect(read(at('a profile'), { name: 'web2' })).toMatchObject({ name: 'web2', text: 'x: 1\n' });
  });

  test.each(['no such.yaml', '.yaml', '-x.yaml', 'ünï.yaml', `${'x'.repeat(41)}.yaml`])(
    '%s has no VM name in it',
    (name) => {
      expect(() => read(at(name))).toThrow(refusal('invalid-name'));
    },
  );
});

test('ABUSE 1: ../../etc/passwd is no name, and is not opened', () => {
  // were it opened, a FIFO would say so
  execFileSync('mkfifo', [at('passwd')]);
  for (const argument of ['../../etc/passwd', at('passwd')]) {
    expect(() => read(argument)).toThrow(
      expect.objectContaining({ code: 'invalid-name', message: expect.stringContaining('invalid VM name') }),
    );
  }
});

test.each([
  '',
  '.',
  '..',
  '-rf',
  '--help',
  'web1/../x',
  'x'.repeat(300),
  'ünï',
  'web1\n',
  'web1\0',
  'a\0/web1.yaml',
  'a b',
  '%s',
])('ABUSE 2: %j is no name', (argument) => {
  expect(() => read(argument)).toThrow(refusal('invalid-name'));
});

describe('ABUSE 4: a profile is a regular file, and nothing hangs', () => {
  test.each<[string, (file: string) => void]>([
    ['symlink', (file) => symlinkSync('/etc/shadow', file)],
    ['FIFO', (file) => execFileSync('mkfifo', [file])],
    ['directory', (file) => mkdirSync(file)],
  ])('%s', (_name, make) => {
    make(at('own/profiles/web1.yaml'));
    expect(() => read('web1')).toThrow(refusal('unsafe-file'));
    expect(() => read(at('own/profiles/web1.yaml'))).toThrow(refusal('unsafe-file'));
  });

  test('device', () => {
    expect(() => read('/dev/zero', { name: 'web1' })).toThrow(refusal('unsafe-file'));
  });
});

describe('as root', () => {
  beforeEach(() => writeFileSync(at('web1.yaml'), 'x: 1\n', { mode: 0o644 }));
  const asRoot = (env: Record<string, string> = {}) => read(at('web1.yaml'), { uid: 0, env });

  test('ABUSE 5: a profile that others can write to is refused', (context) => {
    needsRoot(context);
    expect(asRoot().name).toBe('web1');
    for (const mode of [0o664, 0o646, 0o666]) {
      chmodSync(at('web1.yaml'), mode);
      expect(asRoot).toThrow(refusal('unsafe-file'));
    }
  });

  test('ABUSE 5: a directory that others can write to is refused, sticky or not', (context) => {
    needsRoot(context);
    for (const mode of [0o775, 0o777, 0o1777]) {
      chmodSync(dir, mode);
      expect(asRoot).toThrow(refusal('unsafe-file'));
    }
  });

  test('ABUSE 6: another user’s profile is refused, except under sudo by that user', (context) => {
    needsRoot(context);
    chownSync(at('web1.yaml'), other, other);
    expect(asRoot).toThrow(refusal('unsafe-file'));
    expect(() => asRoot({ SUDO_UID: '1' })).toThrow(refusal('unsafe-file'));
    expect(() => asRoot({ SUDO_UID: 'x' })).toThrow(refusal('unsafe-file'));
    expect(asRoot({ SUDO_UID: String(other) }).text).toBe('x: 1\n');
    chownSync(dir, other, other);
    expect(asRoot({ SUDO_UID: String(other) }).text).toBe('x: 1\n');
    expect(asRoot).toThrow(refusal('unsafe-file'));
  });
});

test('what is not text is refused, and what is too large', () => {
  writeFileSync(at('web1.yaml'), Buffer.from([0x78, 0xff, 0xfe]));
  expect(() => read(at('web1.yaml'))).toThrow(refusal('invalid-profile'));
  writeFileSync(at('web1.yaml'), '#'.repeat(256 * 1024 + 1));
  expect(() => read(at('web1.yaml'))).toThrow(refusal('unsafe-file'));
});

test('the list: by name, each once, what is no profile left out', () => {
  for (const name of [
    'own/profiles/b.yaml',
    'etc/profiles/a.yaml',
    'etc/profiles/b.yaml',
    'package/profiles/b.yaml',
    'package/profiles/demo.yaml',
    'own/profiles/notes.txt',
    'own/profiles/bad name.yaml',
  ])
    writeFileSync(at(name), '');
  expect(listProfiles(places)).toEqual([
    { name: 'a', file: at('etc/profiles/a.yaml'), example: false },
    { name: 'b', file: at('own/profiles/b.yaml'), example: false },
    { name: 'demo', file: at('package/profiles/demo.yaml'), example: true },
  ]);
  rmSync(at('own'), { recursive: true });
  expect(listProfiles(places).map(({ name }) => name)).toEqual(['a', 'b', 'demo']);
});

test('findProfileFile finds without opening', () => {
  execFileSync('mkfifo', [at('etc/profiles/web1.yaml')]);
  expect(findProfileFile('web1', { places })).toEqual({ name: 'web1', file: at('etc/profiles/web1.yaml') });
  expect(findProfileFile('web2', { places })).toBeUndefined();
});
