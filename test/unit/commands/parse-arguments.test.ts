import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { synopsisOf } from '../../../src/commands/help.ts';
import { commandNamed, commands, groups, laterCommands } from '../../../src/commands/list.ts';
import { parseArguments } from '../../../src/commands/parse-arguments.ts';
import { anyText } from '../any-text.ts';

async function parse(line: readonly string[]): Promise<{ command: string; args: unknown }> {
  const { command, args } = await parseArguments(line);
  return { command: command.name, args };
}

describe('which command', () => {
  const run = (profiles: readonly string[], more: object = {}): object => ({
    command: 'run',
    args: { profiles, detach: false, ephemeral: false, qemuArgs: [], ...more },
  });

  const ssh = (words: readonly string[], more: object = {}): object => ({
    command: 'ssh',
    args: { vm: 'a', command: words, forgetKey: false, own: [], ...more },
  });

  test.each<[readonly string[], object]>([
    [['web1'], run(['web1'])],
    [['web1', 'web2', '-d'], run(['web1', 'web2'], { detach: true })],
    [['-d', 'web1'], run(['web1'], { detach: true })],
    [['--name', 'ls', 'web1'], run(['web1'], { name: 'ls' })],
    [['--name=ls', 'web1'], run(['web1'], { name: 'ls' })],
    [['run', 'ls'], run(['ls'])],
    [['run', 'run'], run(['run'])],
    [['web1', 'ls'], run(['web1', 'ls'])],
    [['web1', '--', '-S', '--help'], run(['web1'], { qemuArgs: ['-S', '--help'] })],
    [['web1', '--', 'a', '--', 'b'], run(['web1'], { qemuArgs: ['a', '--', 'b'] })],
    [['--', '--help'], run(['--help'])],
    [['--', 'ls'], run(['ls'])],
    [[''], run([''])],
    [['-'], run(['-'])],
    [['007', '1e3'], run(['007', '1e3'])],
    [['ls'], { command: 'ls', args: {} }],
    [['-v', 'ls', '--json'], { command: 'ls', args: {} }],
    [['stop', 'a', 'b', '--timeout', '2.5'], { command: 'stop', args: { vms: ['a', 'b'], timeout: 2.5 } }],
    [['stop', '--', '-x'], { command: 'stop', args: { vms: ['-x'] } }],
    [['wait', 'a'], { command: 'wait', args: { vm: 'a', for: 'end' } }],
    [['monitor', 'a', 'info', 'network'], { command: 'monitor', args: { vm: 'a', command: ['info', 'network'] } }],
    [['monitor', 'a', '--', 'x', '-y'], { command: 'monitor', args: { vm: 'a', command: ['x', '-y'] } }],
    [['ssh', 'a'], ssh([])],
    [['ssh', 'a', 'ls', '-l', '--', '--help', '-v'], ssh(['ls', '-l', '--', '--help', '-v'])],
    [['ssh', '--user', 'root', 'a', 'ls', '--user', 'x'], ssh(['ls', '--user', 'x'], { user: 'root' })],
    [['ssh', 'a', '--user=root', '-v', 'ls'], ssh(['ls'], { user: 'root' })],
    [['ssh', 'a', '-l', 'root', '--forget-key', 'a b', ''], ssh(['a b', ''], { user: 'root', forgetKey: true })],
    [['ssh', 'a', '--', '-L', '1:b:2', 'ls'], ssh([], { own: ['-L', '1:b:2', 'ls'] })],
    [['ssh', 'a', '', '-x'], ssh(['', '-x'])],
    [['ssh', 'a', '-', '-x'], ssh(['-', '-x'])],
    [['-v', 'ssh', 'a', 'ssh', 'b'], ssh(['ssh', 'b'])],
    [['gc'], { command: 'gc', args: { dryRun: false } }],
    [['net', 'ls'], { command: 'net ls', args: {} }],
    [['-v', 'net', '-q', 'ls', '--json'], { command: 'net ls', args: {} }],
    [['net', 'map', '--svg', '-'], { command: 'net map', args: { svg: '-', running: false } }],
    [['net', 'map', '--svg', '-', '--running'], { command: 'net map', args: { svg: '-', running: true } }],
    [['--name', '-', 'web1', '-'], run(['web1', '-'], { name: '-' })],
    [['run', 'net'], run(['net'])],
    [['run', 'net', 'ls'], run(['net', 'ls'])],
    [['web1', 'net'], run(['web1', 'net'])],
    [['--name', 'net', 'web1'], run(['web1'], { name: 'net' })],
    [['--', 'net', 'ls'], run(['net', 'ls'])],
    [['__release', 'a', '--json', '--', '-9'], { command: '__release', args: { words: ['a', '--json', '--', '-9'] } }],
  ])('%j', async (line, wanted) => {
    expect(await parse(line)).toEqual(wanted);
  });

  test('options may be repeated where that means something', async () => {
    const { args } = await parseArguments(['new', 'a', '--nic', 'user', '--nic', 'bridge:br0', '--memory', '1G']);
    expect(args).toEqual({ name: 'a', nic: ['user', 'bridge:br0'], memory: '1G', force: false });
    expect(await parseArguments(['ls', '-vv', '--verbose'])).toMatchObject({ verbose: 3 });
    expect((await parse(['run', 'a', '-d', '-d'])).args).toMatchObject({ detach: true });
  });

  test('help wins over whatever else is wrong, but not behind --', async () => {
    expect(await parseArguments([])).toMatchObject({ help: true });
    expect(await parseArguments(['stop', '--nonsense', '--help'])).toMatchObject({ help: true });
    expect(await parseArguments(['web1', '--', '--help'])).toMatchObject({ help: false });
    expect(await parseArguments(['web1', '--version'])).toMatchObject({ version: true });
  });
});

describe('a group of commands', () => {
  test.each<[readonly string[], string | undefined]>([
    [['net'], 'net'],
    [['net', '--help'], 'net'],
    [['net', '--nonsense'], 'net'],
    [['net', 'foo', '-h'], 'net'],
    [['net', 'help'], 'net'],
    [['help', 'net'], 'net'],
    [['help', 'net', 'ls'], 'net ls'],
    [['net', '--help', 'ls'], 'net ls'],
    [['net', '--', 'ls'], 'net'],
    [['help', 'stop'], 'stop'],
    [['help'], undefined],
    [['help', 'foo'], undefined],
    [['help', '__complete'], '__complete'],
  ])('%j is help', async (line, topic) => {
    const parsed = await parseArguments(line);
    expect({ help: parsed.help, topic: parsed.topic?.name }).toEqual({ help: true, topic });
  });

  test.each([
    [['net', 'foo'], 'qrun net: there is no command "foo"'],
    [['net', 'lss'], 'qrun net: there is no command "lss" (did you mean qrun net ls?)'],
    [['net', '', 'ls'], 'qrun net: there is no command ""'],
    [['net', 'constructor'], 'qrun net: there is no command "constructor"'],
    [['net', 'ls', 'lab'], 'qrun net ls: "lab" is one argument too many'],
    [['net', 'ls', '--jsn'], 'qrun net ls: unknown option --jsn (did you mean --json?)'],
  ])('%j is wrong usage', async (line, message) => {
    await expect(parseArguments(line)).rejects.toMatchObject({ code: 'usage', message });
  });

  test('a word too many that an option wants: the hint has that option', async () => {
    await expect(parseArguments(['alias', 'bash'])).rejects.toMatchObject({
      message: 'qrun alias: "bash" is one argument too many',
      hint: 'qrun alias --shell bash',
    });
    await expect(parseArguments(['alias', 'csh'])).rejects.toMatchObject({ hint: 'qrun alias --help' });
  });

  test('what is to come is no VM, and no other command', async () => {
    for (const name of laterCommands) {
      expect(commandNamed(name)).toBeUndefined();
      await expect(parseArguments(name.split(' '))).rejects.toMatchObject({ code: 'not-implemented' });
    }
  });

  test('no command is called like a group, and each of two words has its group', () => {
    expect(groups.filter(({ name }) => commandNamed(name) !== undefined)).toEqual([]);
    const firsts = commands.flatMap(({ name }) => (name.includes(' ') ? [name.split(' ')[0]] : []));
    expect([...new Set(firsts)]).toEqual(groups.map(({ name }) => name));
  });
});

test('whatever stands before and after --, QEMU gets its arguments as they are', async () => {
  const word = anyText();
  await fc.assert(
    fc.asyncProperty(fc.array(word), async (words) => {
      expect((await parseArguments(['web1', '--', ...words])).args['qemuArgs']).toEqual(words);
    }),
  );
});

test('whatever stands behind the first word of a command for the guest, the guest gets it as it is', async () => {
  const word = anyText();
  await fc.assert(
    fc.asyncProperty(fc.array(word), async (words) => {
      const { args, json, help } = await parseArguments(['ssh', 'web1', 'ls', ...words]);
      expect({ ...args, json, help }).toMatchObject({ command: ['ls', ...words], own: [], json: false, help: false });
    }),
  );
});

test('no line of words ends in anything but arguments or a fault of usage', async () => {
  const word = fc.oneof(
    anyText(),
    fc.constantFrom(
      '-',
      '--',
      '--=',
      '-=',
      '--name',
      '-d',
      '--__proto__',
      '--constructor',
      'stop',
      'ls',
      'net',
      'help',
      '--no-detach',
      '-vqd',
      '--a.b=c',
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (words) => {
      const outcome = await parseArguments(words).then(
        () => 'fine',
        (error: unknown) => (error instanceof QrunError ? error.code : error),
      );
      expect(['fine', 'usage']).toContain(outcome);
    }),
    { numRuns: 300 },
  );
});

test.each([
  ['run', 'run NAME… [-d] [--name NAME] [--ephemeral] [-- QEMU-ARGS]'],
  ['gc', 'gc [NAME] [--dry-run]'],
  ['completion', 'completion bash|zsh|fish'],
])('the synopsis of %s', (name, synopsis) => {
  const command = commandNamed(name);
  expect(command && synopsisOf(command)).toBe(synopsis);
});

test('every command has a summary without a full stop, and an example if people call it', () => {
  for (const { name, summary, hidden, examples } of commands) {
    expect({ name, summary }).toEqual({ name, summary: expect.stringMatching(/[^.]$/) });
    expect(examples.length > 0).toBe(hidden !== true);
    for (const { line } of examples) expect(line.startsWith(name) || name === 'run').toBe(true);
  }
});
