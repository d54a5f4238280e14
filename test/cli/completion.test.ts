import { spawnSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test, type TestContext } from 'vitest';
import { createHome, needsQemu, Running, testFacts, type Home } from '../harness/harness.ts';
import { detach, still } from './a-vm.ts';

/** A home with two profiles, two networks that are defined and one that is up without a definition, `qrun` on PATH, and the shell's completion script. */
async function homeWith(shell: string): Promise<{ home: Home; script: string; env: Record<string, string> }> {
  const home = createHome();
  home.profile('web1', 'memory: 64M\n');
  home.profile('web2', 'memory: 64M\n');
  for (const directory of ['c/networks', 's/networks', 's/networks/adhoc', 's/networks/over']) home.mkdir(directory);
  for (const name of ['lab', 'lab2']) home.write(`c/networks/${name}.yaml`, 'forward: nat\nscope: user\n');
  home.write('s/networks/adhoc/network.json', '{"v":1}');
  home.write('s/networks/over/addresses.json', '{"v":1}');
  const bin = home.mkdir('bin');
  symlinkSync(testFacts().bin, path.join(bin, 'qrun'));
  const { status, stdout } = await home.qrun(['completion', shell]);
  expect(status).toBe(0);
  const script = home.write(`completion.${shell}`, stdout);
  return { home, script, env: { PATH: `${bin}:${home.env['PATH'] ?? ''}` } };
}

function needsShell(context: TestContext, shell: string): void {
  if (spawnSync(shell, ['-c', 'true']).status !== 0) context.skip(`needs ${shell}: apt-get install ${shell}`);
}

/** What bash would offer for the last of these words. */
async function inBash(words: readonly string[]): Promise<readonly string[]> {
  const { home, script, env } = await homeWith('bash');
  home.write('file.iso', '');
  const body =
    'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _qrun qrun "${@: -1}"; printf "%s\\n" "${COMPREPLY[@]}"';
  const { stdout, stderr } = await home.run(['bash', '-c', body, 'bash', script, ...words], { env });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

test.each<[string, readonly string[], readonly string[]]>([
  ['a command', ['qrun', 'sto'], ['stop']],
  ['a command or a profile', ['qrun', 'w'], ['wait', 'web1', 'web2']],
  ['a second profile', ['qrun', 'web1', 'w'], ['web2']],
  ['a profile behind an option', ['qrun', '-d', 'we'], ['web1', 'web2']],
  ['a profile of a command', ['qrun', 'show', 'we'], ['web1', 'web2']],
  ['nothing behind the last argument', ['qrun', 'show', 'web1', ''], []],
  ['options', ['qrun', 'show', '--s'], ['--shell']],
  ['options that were not given yet', ['qrun', 'logs', 'web1', '--follow', '--f'], []],
  ['no value that only a person knows', ['qrun', 'run', 'web1', '--name', ''], []],
  ['choices', ['qrun', 'completion', ''], ['bash', 'zsh', 'fish']],
  ['files for a value', ['qrun', 'new', 'x', '--cdrom', 'file'], ['file.iso']],
  ['files for a value, taken apart by bash', ['qrun', 'new', 'x', '--cdrom', '=', 'file'], ['file.iso']],
  ['files behind --', ['qrun', 'web1', '--', 'fi'], ['file.iso']],
  ['files for a path', ['qrun', './fi'], ['./file.iso']],
  ['no running VMs where none runs', ['qrun', 'stop', ''], []],
  ['nothing for a command that takes nothing', ['qrun', 'ls', ''], []],
  ['a group', ['qrun', 'ne'], ['new', 'net']],
  ['a command of a group', ['qrun', 'net', 'l'], ['ls', 'leases']],
  ['a command of a group behind an option', ['qrun', '-v', 'net', '-q', 'u'], ['up']],
  ['options of a group', ['qrun', 'net', '--he'], ['--help']],
  ['options of a command of a group', ['qrun', 'net', 'down', '--f'], ['--force']],
  ['nothing behind what is no command of a group', ['qrun', 'net', 'foo', ''], []],
  ['nothing for a command of a group that takes nothing', ['qrun', 'net', 'ls', ''], []],
  ['networks', ['qrun', 'net', 'up', ''], ['adhoc', 'lab', 'lab2']],
  ['another network', ['qrun', 'net', 'up', 'lab', ''], ['adhoc', 'lab2']],
  ['networks that are up', ['qrun', 'net', 'down', ''], ['adhoc']],
  ['a network to forward into', ['qrun', 'net', 'forward', ''], ['adhoc']],
  ['files for a definition', ['qrun', 'net', 'define', 'fi'], ['file.iso']],
  ['files for a path of a network', ['qrun', 'net', 'up', './fi'], ['./file.iso']],
  ['profiles that are called like a group', ['qrun', 'run', 'ne'], []],
  ['the shells of alias', ['qrun', 'alias', '--shell', ''], ['bash', 'zsh', 'fish']],
  ['the shells of alias, taken apart by bash', ['qrun', 'alias', '--shell', '=', 'z'], ['zsh']],
])('bash completes %s', async (_what, words, wanted) => {
  const offered = await inBash(words);
  expect(offered.filter((word) => !['web', 'default'].includes(word))).toEqual(wanted); // the package's own examples
});

test('bash completes at a real TAB', async (context) => {
  needsShell(context, 'bash');
  const { home, script, env } = await homeWith('bash');
  const rc = home.write('bashrc', `source ${script}\nPS1='ready> '\nbind 'set enable-bracketed-paste off'\n`);
  const file = home.write('shell', `#!/bin/sh\nexec bash --rcfile ${rc} -i\n`, 0o755);
  const shell = new Running(['script', '-qefc', file, '/dev/null'], {
    env: { ...home.env, ...env, TERM: 'dumb' },
    cwd: home.dir,
    interactive: true,
  });
  await shell.waitFor(/ready> /);
  shell.type('echo $((6 * 7)); : qrun; qrun compl\t zs\t --he\t >/dev/null; echo "status $?"\r');
  await shell.waitFor(/qrun completion .*zsh/s);
  await shell.waitFor(/status 0/);
  shell.type('echo $((8 * 8)); : qrun; qrun net do\tad\t--jso\t --he\t >/dev/null; echo "net $?"\r');
  await shell.waitFor(/qrun net down adhoc --json/s);
  await shell.waitFor(/net 0/);
  shell.type('exit\r');
  expect((await shell.end).stdout).toContain('--help');
});

test('zsh completes commands, profiles and options', async (context) => {
  needsShell(context, 'zsh');
  const { home, script, env } = await homeWith('zsh');
  const body = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "autoload -U compinit; compinit -u -d ${home.dir}/dump; source ${script}; PS1=; zstyle ':completion:*' list-colors ''; echo rea''dy"
zpty -r -m shell _ '*ready*'
zpty -w -n shell $'qrun comple\\t fi\\t | head -n 1 && qrun show web\\t\\t'
zpty -r -m shell out '*web2*'
print -r -- "$out"
zpty -w -n shell $'\x15qrun net do\tad\t; qrun net up lab\t\t'
zpty -r -m shell out '*lab2*'
print -r -- "$out"
zpty -d shell`;
  const { stdout } = await home.run(['zsh', '-f', '-c', body], { env: { ...env, TERM: 'xterm' }, timeoutMs: 90_000 });
  // the line editor moves the cursor about between the words
  expect(stdout).toMatch(/qrun completion.*fish.*head.*web1 .*web2/s);
  expect(stdout).toMatch(/qrun net down.*adhoc.*qrun net up lab.*lab2/s);
});

test('fish completes commands, profiles and options', async (context) => {
  needsShell(context, 'fish');
  const { home, script, env } = await homeWith('fish');
  const offered = async (line: string): Promise<readonly string[]> => {
    const { stdout, stderr } = await home.run(
      ['fish', '-N', '-c', 'source $argv[1]; complete -C $argv[2]', script, line],
      { env },
    );
    expect(stderr).toBe('');
    return stdout.split('\n').filter((word) => word !== '' && !word.startsWith('web\t'));
  };
  expect(await offered('qrun sto')).toEqual(['stop\task guests to power down, and insist when the time is up']);
  expect((await offered('qrun show w')).map((line) => line.split('\t')[0])).toEqual(['web1', 'web2']);
  expect((await offered('qrun gc --dry')).map((line) => line.split('\t')[0])).toEqual(['--dry-run']);
  expect(await offered('qrun show web1 ')).toEqual([]);
  expect((await offered('qrun net ru')).map((line) => line.split('\t')[0])).toEqual([]);
  expect(await offered('qrun net l')).toEqual([
    "leases\tlist the addresses that a network's DHCP has handed out",
    'ls\tlist networks and their state',
  ]);
  expect((await offered('qrun net up la')).map((line) => line.split('\t')[0])).toEqual(['lab', 'lab2']);
  expect((await offered('qrun net forward ')).map((line) => line.split('\t')[0])).toEqual(['adhoc']);
});

test.for(['bash', 'zsh', 'fish'])('%s completes running VMs', async (shell, context) => {
  needsShell(context, shell);
  needsQemu(context);
  const { home, script, env } = await homeWith(shell);
  home.profile('web1', still);
  await detach(home, 'web1');
  const bodies: Readonly<Record<string, string>> = {
    bash: 'source "$1"; COMP_WORDS=(qrun stop ""); COMP_CWORD=2; _qrun qrun ""; echo "${COMPREPLY[@]}"',
    // what _describe would be given
    zsh: 'function compdef { }; source "$1"; function _describe { print -r -- "${described[@]}" }; words=(qrun stop ""); CURRENT=3; _qrun',
    fish: 'source $argv[1]; complete -C "qrun stop "',
  };
  const options = { bash: [], zsh: ['-f'], fish: ['-N'] }[shell] ?? [];
  const name = shell === 'fish' ? [] : [shell];
  const { stdout, stderr } = await home.run([shell, ...options, '-c', bodies[shell] ?? '', ...name, script], { env });
  expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(/^web1(?:[:\t]paused)?\n$/), stderr: '' });
  await home.qrun(['kill', 'web1']);
});

test('a broken state does not disturb the prompt', async () => {
  const home = createHome();
  home.write('s/vms', 'not a directory');
  const { status, stdout, stderr } = await home.qrun(['__complete', 'bash', 'gc', '']);
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'words\n', stderr: '' });
});

test('with --json the script is in a document', async () => {
  const home = createHome();
  const { stdout: script } = await home.qrun(['completion', 'bash']);
  const { status, stdout } = await home.qrun(['completion', '--json', 'bash']);
  expect({ status, document: JSON.parse(stdout) as unknown }).toEqual({
    status: 0,
    document: { shell: 'bash', script },
  });
});
