/** What is read without the library is read as the library would. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandNamed, commands } from '../../../src/commands/list.ts';
import { optionsOf, parseArguments } from '../../../src/commands/parse-arguments.ts';
import { readPlainWords } from '../../../src/commands/plain-words.ts';
import type { AnyCommand } from '../../../src/commands/command.ts';

const named = (name: string): AnyCommand => {
  const found = commandNamed(name);
  if (found === undefined) throw new Error(name);
  return found;
};
const read = (name: string, words: readonly string[]) => readPlainWords(words, optionsOf(named(name)));

/** Arguments, or why not. `--verbose` is counted, which is the library's. */
const outcome = async (words: readonly string[]): Promise<unknown> => {
  try {
    const { args, json, quiet, verbose } = await parseArguments(words);
    return { args, json, quiet, verbose: verbose - (words.includes('--verbose') ? 1 : 0) };
  } catch (error) {
    return error instanceof Error ? error.message : error;
  }
};

test('words and flags are read without the library', () => {
  expect(read('net up', ['-q', 'lan', '007', '--dhcp'])).toEqual({
    positionals: ['lan', '007'],
    options: { quiet: true, dhcp: true },
  });
  expect(read('ls', [])).toEqual({ positionals: [], options: {} });
});

test.each([
  ['an option with a value', 'net up', ['lan', '--nat', '10.0.0.1/24']],
  ['one that holds it', 'net up', ['lan', '--nat=10.0.0.1/24']],
  ['what is counted', 'net up', ['lan', '-v']],
  ['flags in one word', 'net down', ['-qv', 'lan']],
  ['a flag that is given twice', 'net down', ['-q', 'lan', '-q']],
  ['a flag with a value', 'net down', ['--force=false', 'lan']],
  ['what may be the value of a flag', 'net down', ['--force', 'false', 'lan']],
  ['a flag that there is not', 'net down', ['--frce', 'lan']],
  ['a flag that is denied', 'net down', ['--no-force', 'lan']],
  ['the standard input', 'net define', ['-', '--force']],
])('%s is left to it', (_what, name, words) => {
  expect(read(name, words)).toBeUndefined();
});

test('both read the same', async () => {
  const word = fc.oneof(
    fc.constantFrom('a', '', '007', '1e3', 'x=y', '__proto__', 'b c', '"q"', 'ü', '@f', 'constructor'),
    fc.constantFrom('-q', '--quiet', '--json', '-d', '--detach', '--force', '-f', '--dhcp', '--all'),
  );
  const command = fc.constantFrom(...commands.filter(({ raw }) => raw !== true).map(({ name }) => name));
  await fc.assert(
    fc.asyncProperty(command, fc.array(word, { maxLength: 5 }), async (name, words) => {
      fc.pre(readPlainWords(words, optionsOf(named(name))) !== undefined);
      // before the words: what stands behind may be handed on as it is
      expect(await outcome([...name.split(' '), ...words])).toEqual(
        await outcome([...name.split(' '), '--verbose', ...words]),
      );
    }),
    { numRuns: 500 },
  );
});
