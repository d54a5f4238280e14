/** Words, and flags that are written out: most calls are no more than that, and the library that reads all others takes milliseconds to load. */
import type { ArgumentSpec } from './command.ts';
import { flagOf } from './command.ts';

type OptionSpec = Extract<ArgumentSpec, { readonly as: 'option' }>;

export interface PlainWords {
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, true>>;
}

/** As the library would read them. Undefined: it is to read them. @param options by name */
export function readPlainWords(
  words: readonly string[],
  options: readonly (readonly [string, OptionSpec])[],
): PlainWords | undefined {
  const positionals: string[] = [];
  const given: Record<string, true> = {};
  for (const word of words) {
    // behind a flag these are its value
    if (word === 'true' || word === 'false') return undefined;
    if (word.startsWith('-')) {
      const flag = flagIn(word, options);
      if (flag === undefined || given[flag] === true) return undefined;
      given[flag] = true;
    } else positionals.push(word);
  }
  return { positionals, options: given };
}

/** One that has no value, and is not counted. */
function flagIn(word: string, options: readonly (readonly [string, OptionSpec])[]): string | undefined {
  const found = options.find(
    ([name, { short }]) => word === `--${flagOf(name)}` || (short !== undefined && word === `-${short}`),
  );
  if (found === undefined) return undefined;
  const [name, { type }] = found;
  return type === 'boolean' && name !== 'verbose' ? flagOf(name) : undefined;
}
