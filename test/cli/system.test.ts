import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { needsRoot } from '../harness/needs.ts';
import { createSystem } from '../../src/system/real.ts';
import { findTool } from '../../src/system/tools.ts';

const uid = process.getuid?.() ?? 0;
let dir: string;
beforeEach(() => (dir = mkdtempSync('/tmp/qrun-real-')));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function program(file: string, mode = 0o755): string {
  writeFileSync(file, '#!/bin/sh\necho fake\n');
  chmodSync(file, mode);
  return file;
}

test('what is typed last waits for what stdout says, and an impatient tool ends before it', async () => {
  const system = createSystem();
  // like a QEMU that is told to quit: whatever nobody has read by then is lost
  const script = 'read one; sleep 0.2; echo "got $one"; read two; echo "then $two"';
  const input = { stdin: 'a\n', lastInput: { after: /^got a$/m, text: 'b\n' } };
  expect(await system.run('sh', ['-c', script], input)).toEqual({ status: 0, stdout: 'got a\nthen b\n', stderr: '' });
  expect(await system.run('sh', ['-c', 'exit 3'], input)).toMatchObject({ status: 3, stdout: '' });
});

describe.each(['run', 'runNow'] as const)('%s', (verb) => {
  const system = createSystem();

  test('gives status, stdout and stderr as they are', async () => {
    const result = await system[verb]('sh', ['-c', 'echo out; echo err >&2; exit 3']);
    expect(result).toEqual({ status: 3, stdout: 'out\n', stderr: 'err\n' });
  });

  test('gives stdin; without one there is nothing to read', async () => {
    expect((await system[verb]('cat', [], { stdin: 'text' })).stdout).toBe('text');
    expect((await system[verb]('cat', [])).stdout).toBe('');
  });

  test('a tool that does not read its stdin is no error', async () => {
    expect((await system[verb]('true', [], { stdin: 'x'.repeat(1_000_000) })).status).toBe(0);
  });

  test('a signal is 128 and its number', async () => {
    expect((await system[verb]('sh', ['-c', 'kill -TERM $$'])).status).toBe(143);
  });

  test('environment and directory', async () => {
    const { stdout } = await system[verb]('sh', ['-c', 'echo "$A"; pwd; echo "$PATH"'], { env: { A: 'b' }, cwd: dir });
    expect(stdout).toBe(`b\n${dir}\n${process.env['PATH']}\n`);
  });

  test('arguments are never a shell’s', async () => {
    const text = '$(id); `id` "\' \\ *';
    expect((await system[verb]('printf', ['%s', text])).stdout).toBe(text);
  });

  test('a missing tool', async () => {
    await expect(async () => await system[verb]('qrun-no-such-tool', [])).rejects.toMatchObject({
      code: 'missing-tool',
      message: expect.stringContaining('qrun-no-such-tool'),
    });
  });

  test('a tool that does not end', async () => {
    await expect(async () => await system[verb]('sleep', ['60'], { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'timeout',
    });
  });

  test('a file that is no program', async () => {
    const file = path.join(dir, 'broken');
    writeFileSync(file, '#!/nonexistent/interpreter\n', { mode: 0o755 });
    await expect(async () => await system[verb](file, [])).rejects.toMatchObject({ code: 'host-failed' });
  });
});

test('runNow hands descriptors on from 3 up', () => {
  const file = path.join(dir, 'a');
  writeFileSync(file, 'from fd 4');
  const fd = openSync(file, 'r');
  expect(createSystem().runNow('sh', ['-c', 'cat <&4'], { fds: [fd, fd] }).stdout).toBe('from fd 4');
  closeSync(fd);
});

test('which resolves once', () => {
  const file = program(path.join(dir, 'tool'));
  const system = createSystem({ PATH: dir });
  expect(system.which('tool')).toBe(file);
  rmSync(file);
  expect(system.which('tool')).toBe(file);
});

test('which looks in the sbin directories too, never in relative ones', () => {
  expect(createSystem({ PATH: '/nonexistent' }).which('ip')).toMatch(/sbin\/ip$/);
  mkdirSync(path.join(dir, 'bin'));
  program(path.join(dir, 'bin/qrun-tool'));
  const cwd = path.relative(process.cwd(), path.join(dir, 'bin'));
  expect(createSystem({ PATH: `${cwd}::.` }).which('qrun-tool')).toBeUndefined();
});

test('which takes an absolute path, and nothing that is not executable', () => {
  const file = program(path.join(dir, 'tool'));
  expect(findTool(file, { env: {}, uid })).toBe(file);
  chmodSync(file, 0o644);
  expect(findTool(file, { env: {}, uid })).toBeUndefined();
  expect(findTool(dir, { env: {}, uid })).toBeUndefined();
  expect(findTool('', { env: { PATH: dir }, uid })).toBeUndefined();
});

describe('as root only what root alone can change is run', () => {
  const asRoot = {
    env: {
      get PATH() {
        return dir;
      },
    },
    uid: 0,
  };

  test('a directory that others can write to is passed over', () => {
    program(path.join(dir, 'tool'));
    chmodSync(dir, 0o777);
    expect(findTool('tool', asRoot)).toBeUndefined();
    expect(findTool('tool', { ...asRoot, uid: 12_345 })).toBe(path.join(dir, 'tool'));
  });

  test("another user's directory, another user's file, and a file that others can write to, too", (context) => {
    needsRoot(context);
    const file = program(path.join(dir, 'tool'));
    chmodSync(dir, 0o755);
    expect(findTool('tool', asRoot)).toBe(file);
    chmodSync(file, 0o777);
    expect(findTool('tool', asRoot)).toBeUndefined();
    chmodSync(file, 0o755);
    chownSync(file, 12_345, 0);
    expect(findTool('tool', asRoot)).toBeUndefined();
    chownSync(file, 0, 0);
    chownSync(dir, 12_345, 0);
    expect(findTool('tool', asRoot)).toBeUndefined();
  });
});

test('a link to a tool keeps its own name', () => {
  program(path.join(dir, 'real'));
  symlinkSync('real', path.join(dir, 'alias'));
  chmodSync(dir, 0o755);
  expect(findTool('alias', { env: { PATH: dir }, uid })).toBe(path.join(dir, 'alias'));
});

test('ABUSE 71: descriptors of the caller are closed, those of Node and the standard ones are not', () => {
  const source = path.resolve(import.meta.dirname, '../../src/system/stray-descriptors.ts');
  const bundle = path.join(dir, 'stray.mjs');
  execFileSync('npx', [
    '--no-install',
    'esbuild',
    source,
    '--bundle',
    '--platform=node',
    '--format=esm',
    `--outfile=${bundle}`,
    '--log-level=error',
  ]);
  const script = path.join(dir, 'main.mjs');
  writeFileSync(
    script,
    `import { closeStrayDescriptors } from './stray.mjs';
     import { readdirSync } from 'node:fs';
     import { spawnSync } from 'node:child_process';
     const closed = closeStrayDescriptors();
     const child = spawnSync('ls', ['/proc/self/fd'], { encoding: 'utf8' }).stdout.trim().split('\\n');
     console.log(JSON.stringify({ closed, child }));`,
  );
  const text = execFileSync('bash', ['-c', `exec 7</etc/passwd 201</etc/passwd; exec ${process.execPath} ${script}`], {
    encoding: 'utf8',
  });
  const found: unknown = JSON.parse(text);
  // 7 was made close-on-exec by Node itself, which stops at the first gap; 3 is the directory that ls reads
  expect(found).toEqual({ closed: expect.arrayContaining([201]), child: ['0', '1', '2', '3'] });
});
