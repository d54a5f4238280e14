import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findNetworkFile, listNetworks, readNetworkFile } from '../../../src/host/network-definitions.ts';
import { placesOf, type Places } from '../../../src/places.ts';
import { needsRoot } from '../../harness/needs.ts';

const uid = process.getuid?.() ?? 0;
let dir: string;
let places: Places;
const at = (name: string): string => path.join(dir, name);

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'qrun-networks-'));
  chmodSync(dir, 0o755);
  for (const name of ['own/networks', 'etc/networks', 'package/networks']) mkdirSync(at(name), { recursive: true });
  const base = placesOf({ env: { QRUN_CONFIG_DIR: at('own') }, uid, home: dir, packageRoot: at('package') });
  places = { ...base, config: [at('own'), at('etc')] };
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const read = (argument: string, more: { uid?: number; env?: Record<string, string> } = {}) =>
  readNetworkFile(argument, { places, system: { uid: more.uid ?? uid, env: more.env ?? {} } });
const refusal = (code: string) => expect.objectContaining({ name: 'QrunError', code });

test('a name is looked for in the own directory, then the host’s, then the package', () => {
  for (const [index, where] of ['package', 'etc', 'own'].entries()) {
    writeFileSync(at(`${where}/networks/lab.yaml`), `# ${index}\n`);
    expect(read('lab')).toEqual({ name: 'lab', file: at(`${where}/networks/lab.yaml`), text: `# ${index}\n` });
    expect(findNetworkFile('lab', { places })).toEqual({ name: 'lab', file: at(`${where}/networks/lab.yaml`) });
  }
  expect(findNetworkFile('other', { places })).toBeUndefined();
});

test('a path is taken too, and its base name is the name', () => {
  writeFileSync(at('lab.yaml'), '{}\n');
  expect(read(at('lab.yaml'))).toEqual({ name: 'lab', file: at('lab.yaml'), text: '{}\n' });
  expect(() => read(at('none.yaml'))).toThrow(expect.objectContaining({ code: 'unknown-name', hint: `ls ${dir}` }));
  expect(() => read(at('lab'))).toThrow(
    expect.objectContaining({
      code: 'invalid-name',
      message: `"${at('lab')}" is no network`,
      hint: 'the path of a network ends in .yaml; qrun net define FILE --name NAME takes any file',
    }),
  );
});

test('an unknown name says where it looked, and what may have been meant', () => {
  writeFileSync(at('own/networks/lab.yaml'), '');
  expect(() => read('lba')).toThrow(
    expect.objectContaining({
      code: 'unknown-name',
      message: 'there is no network lba (did you mean lab?)',
      hint: 'qrun net info lab',
      causes: [`looked in ${at('own/networks')}, ${at('etc/networks')}, ${at('package/networks')}`],
    }),
  );
  expect(() => read('something-else')).toThrow(
    expect.objectContaining({ hint: 'qrun net define FILE --name something-else' }),
  );
});

test('all are listed, the first of a name, and nothing is opened', () => {
  writeFileSync(at('package/networks/default.yaml'), '');
  writeFileSync(at('package/networks/lab.yaml'), '');
  writeFileSync(at('own/networks/.hidden.yaml'), '');
  writeFileSync(at('own/networks/notes.txt'), '');
  execFileSync('mkfifo', [at('etc/networks/lab.yaml')]);
  expect(listNetworks(places)).toEqual([
    { name: 'default', file: at('package/networks/default.yaml'), example: true },
    { name: 'lab', file: at('etc/networks/lab.yaml'), example: false },
  ]);
  rmSync(at('own'), { recursive: true });
  expect(listNetworks(places).map(({ name }) => name)).toEqual(['default', 'lab']);
});

test.each(['', '.', '..', '-rf', '../x', 'x'.repeat(41), 'ünï', 'lab\n', 'lab\0', 'a b'])(
  'ABUSE 2: %j is no name of a network',
  (argument) => expect(() => read(argument)).toThrow(refusal('invalid-name')),
);

describe('ABUSE 4: a definition is a regular file, and nothing hangs', () => {
  test.each<[string, (file: string) => void]>([
    ['symlink', (file) => symlinkSync('/etc/shadow', file)],
    ['FIFO', (file) => execFileSync('mkfifo', [file])],
    ['directory', (file) => mkdirSync(file)],
  ])('%s', (_name, make) => {
    make(at('own/networks/lab.yaml'));
    expect(() => read('lab')).toThrow(refusal('unsafe-file'));
  });
});

test('what is no text is no network', () => {
  writeFileSync(at('own/networks/lab.yaml'), Buffer.from([0xff, 0xfe]));
  expect(() => read('lab')).toThrow(refusal('invalid-network'));
});

test('ABUSE 5, 6: root takes none that others could have written', (context) => {
  needsRoot(context);
  const file = at('lab.yaml');
  writeFileSync(file, '{}\n', { mode: 0o644 });
  expect(read(file, { uid: 0 }).name).toBe('lab');
  chmodSync(file, 0o666);
  expect(() => read(file, { uid: 0 })).toThrow(refusal('unsafe-file'));
  chmodSync(file, 0o644);
  chownSync(file, 12_345, 0);
  expect(() => read(file, { uid: 0 })).toThrow(refusal('unsafe-file'));
  expect(read(file, { uid: 0, env: { SUDO_UID: '12345' } }).name).toBe('lab');
  chownSync(file, 0, 0);
  chmodSync(dir, 0o777);
  expect(() => read(file, { uid: 0 })).toThrow(refusal('unsafe-file'));
});
