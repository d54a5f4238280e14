/** `qrun alias`, taken by the shells that it is for. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { parseDocument } from '../harness/document.ts';
import { createHome, needsQemu, testFacts, type Home } from '../harness/harness.ts';

type Shell = 'bash' | 'zsh' | 'fish';
const shells: readonly Shell[] = ['bash', 'zsh', 'fish'];

function needsShell(context: TestContext, shell: string): void {
  if (spawnSync(shell, ['-c', 'true']).status !== 0) context.skip(`needs ${shell}: apt-get install ${shell}`);
}

const fresh = ['web1', 'db-2.test', '007', 'a_b', 'up', 'net', 'example.com'];

/** Profiles of many names, of which some are commands, and a `qrun` that tells how it was called. */
function homeWith(): { readonly home: Home; readonly env: Record<string, string> } {
  const home = createHome();
  for (const name of [...fresh, 'ls', 'cd', 'if', 'my-tool']) home.profile(name, 'memory: 64M\n');
  const bin = home.mkdir('bin\n$(touch pwned); `touch pwned`');
  home.write(path.join(path.basename(bin), 'my-tool'), '#!/bin/sh\n', 0o755);
  const fake = home.mkdir('fake');
  home.write('fake/qrun', '#!/bin/sh\nprintf "<%s>" "$@"; echo\n', 0o755);
  return { home, env: { PATH: `${fake}:${home.env['PATH'] ?? ''}:${bin}` } };
}

/** Starts an interactive shell, or one like it, that runs these lines one after the other. */
const runs: Readonly<Record<Shell, (lines: readonly string[]) => readonly string[]>> = {
  bash: (lines) => ['bash', '--norc', '-c', ['shopt -s expand_aliases', ...lines].join('\n')],
  zsh: (lines) => ['zsh', '-f', '-c', lines.map((line) => `eval '${line.replaceAll("'", "'\\''")}'`).join('\n')],
  fish: (lines) => ['fish', '-N', '-c', lines.join('\n')],
};
const take: Readonly<Record<Shell, string>> = {
  bash: 'eval "$(cat aliases)"',
  zsh: 'source ./aliases',
  fish: 'source ./aliases',
};

describe.for(shells)('%s', (shell) => {
  test('calls each VM by its bare name, with what follows, and nothing else is changed', async (context) => {
    needsShell(context, shell);
    const { home, env } = homeWith();
    const { status, stdout, stderr } = await home.qrun(['alias', '--shell', shell], { env });
    expect({ status, notes: stderr.split('\n').length - 1 }).toEqual({ status: 0, notes: 4 });
    home.write('aliases', stdout);
    const lines = [take[shell], ...fresh.map((name) => `${name} -d`), 'ls -d /', 'cd /', 'type my-tool'];
    const ran = await home.run(runs[shell](lines), { env, cwd: home.dir });
    expect(ran.stderr).toBe('');
    const printed = ran.stdout.split('\n');
    expect(printed.slice(0, fresh.length)).toEqual(fresh.map((name) => `<run><${name}><-d>`));
    expect(printed[fresh.length]).toBe('/');
    expect(printed.slice(fresh.length + 1).join('\n')).toContain('/my-tool');
    expect(existsSync(path.join(home.dir, 'pwned'))).toBe(false);
  });

  test('says in a comment and on stderr what is left out, and why', async (context) => {
    needsShell(context, shell);
    const { home, env } = homeWith();
    const { stdout, stderr } = await home.qrun(['alias'], { env: { ...env, SHELL: `/usr/local/bin/${shell}` } });
    for (const text of [stdout, stderr]) {
      expect(text).toContain(`cd gets no alias: it would hide ${shell}'s own cd; qrun run cd\n`);
      expect(text).toContain(`if gets no alias: it would hide ${shell}'s own if; qrun run if\n`);
      expect(text).toMatch(
        /my-tool gets no alias: it would hide .*\/bin\\n\$\(touch pwned\).*\/my-tool; qrun run my-tool\n/,
      );
    }
    const { stdout: said, stderr: silence } = await home.qrun(['alias', '-q', '--shell', shell], { env });
    expect({ said, silence }).toEqual({ said: stdout, silence: '' });
    const kinds = stdout.split('\n').map((line) => line.split(' ')[0]);
    expect(kinds.slice(kinds.indexOf('#')).every((kind) => kind === '#' || kind === '')).toBe(true);
  });

  test('knows all names that are the shell’s own', async (context) => {
    needsShell(context, shell);
    const home = createHome();
    const ask: Readonly<Record<Shell, string>> = {
      bash: 'compgen -b; compgen -k',
      zsh: 'print -l ${(k)builtins} ${(k)reswords}',
      fish: 'builtin -n; functions -n | string split ", " | string match -v fish_sigtrap_handler',
    };
    const { stdout } = await home.run(runs[shell]([ask[shell]]));
    const names = stdout.split('\n').filter((name) => /^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/.test(name));
    expect(names.length).toBeGreaterThan(50);
    for (const name of names) home.profile(name, 'memory: 64M\n');
    // without PATH, nothing is a program
    const { node, bin } = testFacts();
    const words = ['env', 'PATH=/nonexistent', node, bin, 'alias', '--shell', shell, '--json'];
    const { stdout: json } = await home.run(words);
    const { aliases } = parseDocument('alias', json) as { aliases: { name: string }[] };
    expect(aliases.map(({ name }) => name).filter((name) => names.includes(name))).toEqual([]);
  });
});

test('eval of one line, without quotes, does no harm', async () => {
  const { home, env } = homeWith();
  const { stdout } = await home.qrun(['alias', '--shell', 'bash', '-q'], { env });
  home.write('aliases', stdout);
  const ran = await home.run(['bash', '-c', 'eval $(cat aliases) 2>/dev/null; alias'], { env, cwd: home.dir });
  expect(ran.stdout.split('\n')).toContain("alias web1='qrun run web1'");
});

test('a shell that takes another syntax is told apart from one that does not tell', async () => {
  const home = createHome();
  for (const [SHELL, message] of [
    ['/bin/tcsh', '$SHELL, which is /bin/tcsh'],
    ['', '$SHELL does not tell the shell'],
  ] as const) {
    const { status, stdout, stderr } = await home.qrun(['alias'], { env: { SHELL } });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('hint: qrun alias --shell bash|zsh|fish');
  }
  expect((await home.qrun(['alias', '--shell', 'tcsh'])).stderr).toContain('--shell is one of bash, zsh, fish');
  expect((await home.qrun(['alias'], { env: { SHELL: '/bin/dash' } })).status).toBe(0);
});

test('a VM whose name looks like a file is called by its profile’s path; its name leads nowhere', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  const file = home.profile('x.yaml', 'nics: [user]\n');
  const { stdout } = await home.qrun(['alias', '--shell', 'bash']);
  expect(stdout).toContain(`\nalias x.yaml='qrun run ${file}'\n`);
  expect(await home.qrun(['show', file, '--json'])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('"vm": "x.yaml"'),
  });
  expect(await home.qrun(['net', 'map'])).toMatchObject({ stderr: '', stdout: expect.stringContaining('x.yaml:net0') });
  expect((await home.qrun(['__complete', 'bash', 'run', 'x'])).stdout).toBe('words\n');
  expect(await home.qrun(['autostart', 'x.yaml'])).toMatchObject({ status: 2 });
});

test('a profile that is called qrun gets no alias, and the package’s examples no note', async () => {
  const home = createHome();
  home.profile('qrun', 'memory: 64M\n');
  const { stdout, stderr } = await home.qrun(['alias', '--shell', 'bash', '--json']);
  expect(stderr).toBe('');
  expect(parseDocument('alias', stdout)).toMatchObject({
    shell: 'bash',
    aliases: expect.arrayContaining([{ name: 'demo', command: ['qrun', 'run', 'demo'] }]),
    skipped: expect.arrayContaining([{ name: 'qrun', hides: 'qrun itself', example: false }]),
  });
  const told = await home.qrun(['alias', '--shell', 'bash']);
  expect(told.stdout).toContain('# install gets no alias');
  expect(told.stderr).toBe('qrun alias: qrun gets no alias: it would hide qrun itself; qrun run qrun\n');
});
