import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { commands } from '../../../src/commands/list.ts';

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

test('man has no complaint', (context) => {
  if (spawnSync('man', ['--version']).status !== 0) context.skip('needs man: apt-get install man-db');
  const { status, stderr } = spawnSync('man', ['--warnings', '-E', 'UTF-8', '-l', page], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8', MANROFFSEQ: '', MANWIDTH: '80' },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
