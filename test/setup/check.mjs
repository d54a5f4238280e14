/**
 * `npm run check`: formatting, lint with the import rules of the rooms, types, unit tests; side by side, each with its own verdict.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { repository } from './places.mjs';

const tool = (name) => path.join(repository, 'node_modules/.bin', name);
const folders = ['src', 'test', 'bin'];

/** A disk takes milliseconds to remove a directory, and the unit tests make thousands. Not where nothing in memory may be executed, as in Docker. */
function memoryAsTmp() {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const [, , kind, options = ''] = mounts.map((line) => line.split(' ')).findLast(([, at]) => at === '/dev/shm') ?? [];
  const isUsable = kind === 'tmpfs' && !options.split(',').some((option) => ['ro', 'noexec'].includes(option));
  return isUsable ? { TMPDIR: '/dev/shm' } : {};
}

const checks = [
  { name: 'format', argv: [tool('oxfmt'), '--check', ...folders], mend: 'npm run format' },
  { name: 'lint', argv: [tool('oxlint'), '--type-aware', '--deny-warnings', ...folders] },
  {
    name: 'types',
    argv: [tool('tsc'), '--noEmit', '--incremental', '--tsBuildInfoFile', '.cache/types.tsbuildinfo', '-p', '.'],
  },
  {
    name: 'unit',
    // fewer tries of the properties than `npm test` makes
    env: { QRUN_TEST_QUICK: '1', ...memoryAsTmp() },
    argv: [
      tool('vitest'),
      'run',
      '--config',
      'test/vitest.config.ts',
      '--project',
      'unit',
      '--reporter=dot',
      '--no-color',
      // what was translated for an earlier check, by what is in the file
      '--experimental.fsModuleCache',
      '--experimental.fsModuleCachePath=.cache/vitest-modules',
    ],
  },
];

/** Runs to the end and keeps the output, so that two tools do not talk at once. */
function runCheck({ name, argv, mend, env }) {
  const begin = performance.now();
  return new Promise((resolve) => {
    const [file, ...args] = argv;
    const child = spawn(file, args, {
      cwd: repository,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = [];
    child.stdout.on('data', (data) => output.push(data));
    child.stderr.on('data', (data) => output.push(data));
    child.once('error', (error) => output.push(Buffer.from(`${error.message}: run npm ci\n`)));
    child.once('close', (code) => {
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      const ok = code === 0;
      process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
      if (!ok) process.stdout.write(`${Buffer.concat(output)}${mend === undefined ? '' : `mend it with: ${mend}\n`}\n`);
      resolve(ok);
    });
  });
}

const results = await Promise.all(checks.map(runCheck));
process.exitCode = results.every(Boolean) ? 0 : 1;
