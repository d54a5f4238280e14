import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { synopsisOf } from '../../../src/commands/help.ts';
import { commandNamed, commands } from '../../../src/commands/list.ts';
import { parseArguments } from '../../../src/commands/parse-arguments.ts';

async function parse(line: readonly string[]): Promise<{ command: string; args: unknown }> {
  const { command, args } = await parseArguments(line);
  return { command: command.name, args };
}

describe('which command', () => {
  const run = (profiles: readonly string[], more: object = {}): object => ({
    command: 'run',
    args: { profiles, detach: false, ephemeral: false, qemuArgs: [], ...more },
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
    [['gc'], { command: 'gc', args: { dryRun: false } }],
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

test('whatever stands before and after --, QEMU gets its arguments as they are', async () => {
  const word = fc.string({ unit: 'binary' });
  await fc.assert(
    fc.asyncProperty(fc.array(word), async (words) => {
      expect((await parseArguments(['web1', '--', ...words])).args['qemuArgs']).toEqual(words);
    }),
  );
});

test('no line of words ends in anything but arguments or a fault of usage', async () => {
  const word = fc.oneof(
    fc.string({ unit: 'binary' }),
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
