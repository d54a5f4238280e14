import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { commands } from '../../../src/commands/list.ts';
import { renderNewProfile } from '../../../src/profile/template.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const page = path.join(root, 'docs/qrun.1');

test('the man page is current', () => {
  const { status, stderr } = spawnSync(process.execPath, ['src/build/man.mjs', '--check'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('it tells of every command that is not hidden', () => {
  const text = readFileSync(page, 'utf8');
  for (const { name, hidden } of commands) expect(text.includes(`\n.SS ${name}\n`)).toBe(hidden !== true);
});

test('it tells of every key of a profile, as the comment in a new one says', () => {
  const text = readFileSync(page, 'utf8').replaceAll('\\-', '-');
  const documented = readFileSync(path.join(root, 'docs/profile.md'), 'utf8').matchAll(/^\| `([^`]+)` \|/gm);
  const keys = [...documented].map(([, key]) => key ?? '');
  expect(keys.length).toBeGreaterThan(80);
  expect(keys.filter((key) => !text.includes(`\n.TP\n\\fB${key}\\fR\n`))).toEqual([]);
  expect(renderNewProfile({})).toContain('All keys: man qrun.');
});

test('man has no complaint', (context) => {
  if (spawnSync('man', ['--version']).status !== 0) context.skip('needs man: apt-get install man-db');
  const { status, stderr } = spawnSync('man', ['--warnings', '-E', 'UTF-8', '-l', page], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8', MANROFFSEQ: '', MANWIDTH: '80' },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
