/**
 * What the linter's import rules cannot see: imports that are made while running. The rooms are those of ARCHITECTURE.md.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const source = path.resolve(import.meta.dirname, '../../src');

interface LazyImport {
  readonly room: string;
  readonly file: string;
  readonly aim: string;
}

const lazyImports: readonly LazyImport[] = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith('build/'))
  .flatMap((file) => {
    const text = readFileSync(path.join(source, file), 'utf8');
    return [...text.matchAll(/\bawait import\(\s*'([^']+)'\s*\)/g)].map(([, aim = '']) => ({
      room: file.includes('/') ? file.slice(0, file.indexOf('/')) : file,
      file,
      aim: aim.startsWith('.') ? path.join(path.dirname(file), aim) : aim,
    }));
  });

const whoBreaks = (breaks: (one: LazyImport) => boolean): string[] =>
  lazyImports.filter(breaks).map(({ file, aim }) => `${file} → ${aim}`);

test('there are lazy imports to look at', () => {
  expect(lazyImports.length).toBeGreaterThan(5);
});

test('only src/system starts programs', () => {
  expect(whoBreaks(({ room, aim }) => room !== 'system' && /^(execa|(node:)?child_process)$/.test(aim))).toEqual([]);
});

test('rooms that decide do not touch the host', () => {
  const pure = ['plan', 'profile', 'nic', 'network', 'lab', 'ssh', 'map'];
  const host = /^(node:(fs|child_process|dgram|os)|system\/|host\/|resources\/|launch\/|commands\/)/;
  expect(whoBreaks(({ room, aim }) => pure.includes(room) && host.test(aim))).toEqual([]);
});

test('networks know neither launch nor setup, and setup knows no launch', () => {
  expect(whoBreaks(({ room, aim }) => room === 'networks' && /^(launch|setup|report)\//.test(aim))).toEqual([]);
  expect(whoBreaks(({ room, aim }) => room === 'setup' && /^(launch|report)\//.test(aim))).toEqual([]);
});

test('nobody but the command line’s own frame loads a command', () => {
  const frame = ['cli.ts', 'boot.ts', 'commands'];
  expect(whoBreaks(({ room, aim }) => !frame.includes(room) && aim.startsWith('commands/'))).toEqual([]);
});

test('nobody loads the whole of zod', () => {
  expect(whoBreaks(({ aim }) => aim === 'zod')).toEqual([]);
});
