import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { renderHelp } from '../../src/commands/help.ts';
import { createHome, needsQemu, needsRoot, ownerFor, testFacts } from '../harness/harness.ts';

const hint = /^hint: qrun \w+ --help$/m;

test('qrun alone, and --help anywhere before --, is help on stdout', async () => {
  const home = createHome();
  const alone = await home.qrun([]);
  expect(alone).toMatchObject({ status: 0, stderr: '' });
  expect(alone.stdout).toContain('qrun NAME… [-d] [-- QEMU-ARGS]');
  expect((await home.qrun(['--help'])).stdout).toBe(alone.stdout);
  const stop = await home.qrun(['stop', 'web1', '--help', '--nonsense']);
  expect(stop.stdout).toContain('qrun stop NAME… [--timeout SECONDS]');
  expect(stop.status).toBe(0);
  expect((await home.qrun(['web1', '-h'])).stdout).toBe(alone.stdout);
});

test('a group of commands: its own help, and a slip of the pen', async () => {
  const home = createHome();
  const alone = await home.qrun(['net']);
  expect(alone).toMatchObject({ status: 0, stderr: '' });
  expect(alone.stdout).toMatch(/^qrun net COMMAND …\n/);
  expect(alone.stdout).toMatch(/^ {2}qrun net ls +list networks/m);
  expect(await home.qrun(['net', '--help'])).toEqual(alone);
  expect((await home.qrun(['net', 'ls', '--help'])).stdout).toMatch(/^qrun net ls\n/);
  const slip = await home.qrun(['net', 'lss']);
  expect(slip).toMatchObject({ status: 2, stdout: '' });
  expect(slip.stderr).toContain('there is no command "lss" (did you mean qrun net ls?)');
  expect(slip.stderr).toMatch(hint);
});

test('a VM that is called like a group is reached by run', async () => {
  const home = createHome();
  home.profile('net', 'memory: 64M\n');
  expect((await home.qrun(['show', 'net'])).status).toBe(0);
  const { status, stderr } = await home.qrun(['run', 'net', '--name', '..']);
  expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining('invalid VM name ".."') });
});

test('the help names every command, and no hidden one', async () => {
  const { stdout } = await createHome().qrun(['--help']);
  for (const name of [
    'run',
    'show',
    'ls',
    'ps',
    'nics',
    'stop',
    'kill',
    'reset',
    'pause',
    'resume',
    'wait',
    'console',
    'logs',
  ])
    expect(stdout).toMatch(new RegExp(`^  qrun ${name}\\b`, 'm'));
  expect(stdout).not.toContain('__');
});

test('the help that the build laid out is the one that yargs lays out', async () => {
  expect((await createHome().qrun(['--help'])).stdout).toBe(await renderHelp(undefined, 80));
});

test.each(['', '.', '..', '-rf', 'x'.repeat(300), 'ünï', 'web1\n', ' web1', 'we b', '*'])(
  'ABUSE 2: the name %j is wrong usage',
  async (name) => {
    const { status, stdout, stderr } = await createHome().qrun([name]);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^qrun: /);
    expect(stderr).not.toMatch(/\bat .*:\d+:\d+/);
  },
);

test('ABUSE 3: --help is help, and after -- it is a name, and an invalid one', async () => {
  const home = createHome();
  expect((await home.qrun(['--help'])).status).toBe(0);
  const { status, stderr } = await home.qrun(['--', '--help']);
  expect(status).toBe(2);
  expect(stderr).toContain('invalid VM name "--help"');
});

test('an unknown option is wrong usage, with the one that was meant', async () => {
  const home = createHome();
  const { status, stderr } = await home.qrun(['run', 'web1', '--detatch']);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^qrun: run: unknown option --detatch \(did you mean --detach\?\)\n/);
  expect(stderr).toMatch(hint);
  expect((await home.qrun(['ls', '-d'])).stderr).toContain('unknown option -d');
  expect((await home.qrun(['-d', 'ls'])).stderr).toContain('qrun: ls: unknown option -d');
  expect((await home.qrun(['ls', '--__proto__=1'])).status).toBe(2);
});

test.each([
  [['show'], 'NAME is missing'],
  [['show', 'a', 'b'], '"b" is one argument too many'],
  [['stop', 'a', '--timeout', 'soon'], '--timeout wants a number'],
  [['stop', 'a', '--timeout', '1', '--timeout', '2'], '--timeout is given twice'],
  [['stop', 'a', '--timeout=-1'], '--timeout wants a number'],
  [['run', 'a', '--name'], '--name wants a value'],
  [['show', 'a', '--shell', '--json'], 'only one of --shell and --json at a time'],
  [['logs', 'a', '-n', '1.5'], '--lines wants a whole number'],
  [['completion', 'tcsh'], 'SHELL is one of bash, zsh, fish'],
])('%j: %s', async (args, message) => {
  const { status, stdout, stderr } = await createHome().qrun(args);
  expect(stderr).toContain(message);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
});

test('an example of the package that needs files: the hint makes a copy to put them beside', async (context) => {
  const home = createHome({ qemu: needsQemu(context) });
  const { status, stderr } = await home.qrun(['direct-kernel']);
  const hint = /^hint: (install .*direct-kernel\.yaml) {3}#/m.exec(stderr)?.[1] ?? 'false';
  expect({ status, made: (await home.run(['sh', '-c', hint])).status }).toEqual({ status: 2, made: 0 });
  expect((await home.qrun(['direct-kernel'])).stderr).toContain(`there is no ${home.config}/profiles/`);
});

test('a new VM that is called like a command is told how it is called', async () => {
  const home = createHome();
  expect((await home.qrun(['new', 'ls'])).stderr).toMatch(/, qrun run ls\n$/);
  expect((await home.qrun(['new', 'web1'])).stderr).toMatch(/, qrun web1\n$/);
});

test('a slip in a command’s name starts no VM, and says which was meant', async () => {
  const home = createHome();
  home.profile('web1', 'memory: 64M\nhooks: { beforeStart: [/bin/false] }\n');
  for (const [args, meant] of [
    [['stpo', 'web1'], 'stop'],
    [['-q', 'kil', 'web1'], 'kill'],
    [['nte', 'ls'], 'net'],
  ] as const) {
    const { status, stdout, stderr } = await home.qrun(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^qrun: .* \\(did you mean qrun ${meant}\\?\\)\nhint: qrun ${meant} --help\n$`));
  }
  // there is one of that name; who says run means a VM; what is nearer to a profile is that
  home.profile('stpo', 'memory: 64M\nhooks: { beforeStart: [/bin/false] }\n');
  expect((await home.qrun(['stpo', 'web1'])).stderr).toContain('/bin/false');
  expect((await home.qrun(['run', 'kil'])).stderr).not.toContain('did you mean qrun');
  home.profile('kilo', 'memory: 64M\n');
  expect((await home.qrun(['kilp'])).stderr).toContain('did you mean kilo?');
});

test('gc of one: a VM or a network, by a name that somebody knows', async () => {
  const home = createHome();
  home.profile('web1', 'memory: 64M\n');
  home.network('lab', 'forward: nat\nscope: user\n');
  for (const name of ['web1', 'lab']) expect((await home.qrun(['gc', name])).status).toBe(0);
  const { status, stdout, stderr } = await home.qrun(['gc', 'nobody']);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^qrun: there is no VM and no network nobody\nhint: qrun ls/);
});

test('a name that looks like a number stays as it is', async () => {
  const home = createHome();
  for (const name of ['007', '123', '1e3', '0x10']) {
    const { status, stderr } = await home.qrun(['show', name]);
    expect(status).toBe(2);
    expect(stderr).toMatch(new RegExp(`\\b${name}\\b`));
  }
});

test('qrun run reaches a profile that is called like a command', async () => {
  const home = createHome();
  const { status, stderr } = await home.qrun(['run', 'ls']);
  expect(status).toBe(2);
  expect(stderr).toContain('ls');
  expect(stderr).not.toContain('argument too many');
});

test('with --json an error is one document on stderr', async () => {
  const home = createHome();
  const { status, stdout, stderr } = await home.qrun(['show', 'nothing', '--json']);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  const { error } = JSON.parse(stderr) as { error: Record<string, unknown> };
  expect(error).toMatchObject({ code: 'unknown-name', faults: [] });
  expect(Object.keys(error).toSorted()).toEqual(['causes', 'code', 'faults', 'hint', 'message']);
});

test('nobody reads: quiet, and no error', async () => {
  const { node, bin } = testFacts();
  const script = 'exec 3> >(true); wait "$!"; "$@" >&3; echo "$?"';
  for (const word of ['--help', '--version', 'ls']) {
    const { stdout, stderr } = await createHome().run(['bash', '-c', script, 'bash', node, bin, word]);
    expect({ word, stdout, stderr }).toEqual({ word, stdout: '0\n', stderr: '' });
  }
});

test('no colour in a pipe; on a terminal there is, unless NO_COLOR is set', async () => {
  const home = createHome();
  home.profile('web1', 'memory: 64M\n');
  expect((await home.qrun(['ls'])).stdout).not.toContain('\u001b');
  expect((await home.pty(['ls']).end).stdout).toContain('\u001b[1m');
  expect((await home.pty(['ls'], { env: { NO_COLOR: '1' } }).end).stdout).not.toContain('\u001b');
  expect((await home.qrun(['show', '..'], { env: { FORCE_COLOR: '1' } })).stderr).toContain('\u001b[31m');
});

test('under sudo it says once whose VMs these are, but not to scripts', async (context) => {
  needsRoot(context);
  const home = createHome({ as: 'root', env: { SUDO_UID: '1000', SUDO_USER: 'somebody' } });
  const { stderr } = await home.qrun(['ls']);
  expect(stderr.match(/somebody/g)).toHaveLength(1);
  expect((await home.qrun(['ls', '-q'])).stderr).not.toContain('somebody');
  expect((await home.qrun(['ls', '--json'])).stderr).toBe('');
});

test('a full disk behind stdout is the host’s fault, not a bug', async () => {
  const { node, bin } = testFacts();
  const { stdout, stderr } = await createHome().run([
    'sh',
    '-c',
    '"$@" >/dev/full; echo "$?"',
    'sh',
    node,
    bin,
    '--help',
  ]);
  expect(stdout).toBe('3\n');
  expect(stderr).toBe('qrun: cannot write to stdout: ENOSPC\n');
});

test('a user without a name and a home gets as far as his own places go', async (context) => {
  needsRoot(context);
  const home = createHome({ as: 'root' });
  const stranger = ['env', '-u', 'HOME', 'setpriv', '--reuid=54321', '--regid=54321', '--clear-groups'];
  const { node, bin } = testFacts();
  const places = ['env', 'QRUN_CACHE_DIR=/nonexistent/k', 'QRUN_STATE_DIR=/nonexistent/s'];
  const ls = await home.run([...stranger, ...places, node, bin, 'ls', '--json']);
  expect({ status: ls.status, stderr: ls.stderr }).toEqual({ status: 0, stderr: '' });
  const bare = await home.run([...stranger, 'env', '-i', node, bin, 'ps']);
  expect({ status: bare.status, stderr: bare.stderr }).toEqual({ status: 0, stderr: 'no VM runs\n' });
});

test.each(['', '.', 'home'])('HOME=%j is no place in the working directory', async (written) => {
  const home = createHome();
  const profiles = home.mkdir('home/.config/qrun/profiles');
  home.write(path.join(profiles, 'here.yaml'), 'nics: []\n');
  const { node, bin } = testFacts();
  const overrides = Object.keys(home.env).filter((name) => name.startsWith('QRUN_'));
  const bare = ['env', ...overrides.flatMap((name) => ['-u', name]), `HOME=${written}`, `QRUN_CACHE_DIR=${home.cache}`];
  const cwd = written === 'home' ? home.dir : path.join(home.dir, 'home');
  const { status, stderr } = await home.run([...bare, node, bin, 'show', 'here'], { cwd });
  const [, , , , , own = '/nonexistent'] =
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .find(([name]) => name === ownerFor('user').name) ?? [];
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: expect.stringContaining(`${own}/.config/qrun/profiles`) as string,
  });
});

test('a working directory that is gone does no harm', async () => {
  const { node, bin } = testFacts();
  const { stdout, stderr } = await createHome().run([
    'sh',
    '-c',
    'mkdir gone && cd gone && rmdir ../gone && "$@" >/dev/null; echo "$?"',
    'sh',
    node,
    bin,
    'ls',
  ]);
  expect({ stdout, stderr }).toEqual({ stdout: '0\n', stderr: '' });
});

test('what is relative to a working directory that is gone is refused, and faults of files are told', async () => {
  const { node, bin } = testFacts();
  const home = createHome();
  home.profile('bad', 'cpus: none\n');
  const refused = { status: 3, stderr: 'qrun: the working directory is gone\nhint: cd\n' };
  for (const [words, env, wanted] of [
    [['./x.yaml'], {}, refused],
    [['net', 'define', './x.yaml'], {}, refused],
    [['up', './x.yaml'], {}, refused],
    [['ls'], { QRUN_STATE_DIR: 'state' }, refused],
    [['ls'], { QRUN_CACHE_DIR: 'cache' }, refused],
    [['show', 'bad'], {}, { status: 2, stderr: expect.stringMatching(/profiles\/bad\.yaml:1:7 cpus/) as string }],
  ] as const) {
    const gone = ['sh', '-c', 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', 'sh', node, bin];
    const { status, stderr } = await home.run([...gone, ...words], { env });
    expect({ words, status, stderr }).toEqual({ words, ...wanted });
  }
});
