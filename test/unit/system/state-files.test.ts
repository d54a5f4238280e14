import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readStateFile, setAside } from '../../../src/system/state-files.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'qrun-state-'));
  file = path.join(dir, 'a.json');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('reads what has a version', () => {
  writeFileSync(file, '{"v":1,"x":2}');
  expect(readStateFile(file)).toEqual({ state: 'read', value: { v: 1, x: 2 } });
  expect(readStateFile(`${file}x`)).toEqual({ state: 'absent' });
});

test('a newer version is refused and not touched', () => {
  writeFileSync(file, '{"v":2}');
  // no registry has a package of that name: whoever took it could have whatever they like installed
  const hint = expect.stringMatching(/^(?!.*\bnpm\b).*which -a qrun$/);
  expect(() => readStateFile(file)).toThrow(expect.objectContaining({ code: 'newer-state', hint }));
  expect(readFileSync(file, 'utf8')).toBe('{"v":2}');
});

test.each([
  ['cut short', '{"v":1,"nics":{"ne', /cut short/],
  ['empty', '', /empty/],
  ['garbage', '\u0000\u0001\u0002', /not JSON/],
  ['an array', '[1]', /not a JSON object/],
  ['without a version', '{"x":1}', /no version/],
  ['with a version that is text', '{"v":"1"}', /no version/],
])('%s: set aside under a name of its own, and said', (_name, text, reason) => {
  writeFileSync(file, text);
  const read = readStateFile(file);
  expect(read).toMatchObject({ state: 'broken', reason: expect.stringMatching(reason) });
  const [name = ''] = readdirSync(dir);
  expect(name).toMatch(/^a\.json\.broken-\d{8}T\d{6}Z$/);
  expect(read).toMatchObject({ movedTo: path.join(dir, name) });
  expect(readFileSync(path.join(dir, name), 'utf8')).toBe(text);
});

test('a reader without a lock leaves it where it is', () => {
  writeFileSync(file, 'garbage');
  expect(readStateFile(file, { leave: true }).state).toBe('broken');
  expect(readdirSync(dir)).toEqual(['a.json']);
});

test('two broken ones within a second do not overwrite each other', () => {
  writeFileSync(file, 'one');
  setAside(file);
  writeFileSync(file, 'two');
  setAside(file);
  expect(
    readdirSync(dir)
      .map((name) => readFileSync(path.join(dir, name), 'utf8'))
      .toSorted(),
  ).toEqual(['one', 'two']);
});

test('ABUSE 42: a symlink is refused, not read and not set aside', () => {
  symlinkSync('/etc/passwd', file);
  expect(() => readStateFile(file)).toThrow(expect.objectContaining({ code: 'unsafe-state' }));
  expect(readdirSync(dir)).toEqual(['a.json']);
});
