/**
 * The command line → which command, and its arguments. yargs reads the options; which command is meant, and what stands after `--`, is settled
 * before: so that neither a VM's name nor a word after `--` can ever be taken for something else.
 */
import { QrunError } from '../errors.ts';
import { closestOf } from '../profile/closest.ts';
import { flagOf, type AnyCommand, type ArgumentSpec, type ArgumentValue, type CommandGroup } from './command.ts';
import { readPlainWords } from './plain-words.ts';
import { commandNamed, commandsOf, defaultCommand, globalOptions, groupNamed, laterCommands } from './list.ts';

export interface ParsedArguments {
  readonly command: AnyCommand;
  /** What help is about: a command or a group that the words name; undefined: all of qrun. */
  readonly topic: AnyCommand | CommandGroup | undefined;
  /** The first name, where no command is called. */
  readonly uncalled?: string;
  readonly args: Readonly<Record<string, ArgumentValue>>;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: number;
  readonly help: boolean;
  readonly version: boolean;
}

interface Words {
  /** Before `--`, without the command's own name. */
  readonly words: readonly string[];
  /** After it. */
  readonly tail: readonly string[];
  /** Those of a `verbatim` positional: options among them are not ours. */
  readonly verbatim: readonly string[];
}

interface Parsed {
  /** Words that are neither options nor their values. */
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** @throws QrunError `usage` */
export async function parseArguments(argv: readonly string[]): Promise<ParsedArguments> {
  const called = findCommand(argv);
  const { words, tail, verbatim } = splitWords(argv, called);
  const command = called.command ?? theDefault();
  if (command.raw === true && !called.help) {
    const args = { words: [...words, ...tail] };
    return { command, topic: command, args, json: false, quiet: false, verbose: 0, help: false, version: false };
  }
  // asked for help, with whatever else, is asked for help
  const help = called.help || words.includes('--help') || words.includes('-h');
  if (!help) refuseUncalled(called);
  const parsed = help ? { options: {}, positionals: [] } : await parseWords(command, words);
  const given = { ...parsed, positionals: [...parsed.positionals, ...verbatim] };
  const options: Readonly<Record<string, unknown>> = parsed.options;
  const version = options['version'] === true;
  const [first] = given.positionals;
  return {
    command,
    topic: called.command ?? called.group,
    ...(called.command === undefined && first !== undefined && { uncalled: first }),
    args: help || options['help'] === true || version ? {} : argumentsOf(command, given, tail),
    json: options['json'] === true,
    quiet: options['quiet'] === true,
    verbose: typeof options['verbose'] === 'number' ? options['verbose'] : 0,
    help: help || options['help'] === true,
    version,
  };
}

/** What the words call, and which of them say so. */
interface Called {
  readonly command?: AnyCommand;
  readonly group?: CommandGroup;
  /** Where the command's words stand. */
  readonly indexes: readonly number[];
  /** What was written in the place of a command of the group; `later`: it is to come. */
  readonly unknown?: string;
  readonly later?: string;
  /** The words ask for help without `--help`: there are none, `help`, or a group alone. */
  readonly help: boolean;
}

/** Only the first word that is no option can be a command's name, or a group's; then the next one is the group's command. */
function findCommand(argv: readonly string[]): Called {
  const first = nextWord(argv, 0);
  if (first === undefined) return { indexes: [], help: argv.length === 0 };
  const name = argv[first] ?? '';
  if (name === 'help') return { ...findCommand(argv.slice(first + 1)), help: true };
  const group = groupNamed(name);
  if (group === undefined) {
    const command = commandNamed(name);
    if (command !== undefined) return { command, indexes: [first], help: false };
    return { indexes: [], help: false };
  }
  const second = nextWord(argv, first + 1);
  if (second === undefined) return { group, indexes: [first], help: true };
  const word = argv[second] ?? '';
  const full = `${name} ${word}`;
  const command = commandNamed(full);
  if (command !== undefined) return { command, group, indexes: [first, second], help: false };
  return {
    group,
    indexes: [first],
    help: word === 'help',
    ...(laterCommands.includes(full) ? { later: full } : { unknown: word }),
  };
}

/** The next word from there that is no option and no option's value; none stands behind `--`. */
function nextWord(argv: readonly string[], from: number): number | undefined {
  for (let index = from; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--') return undefined;
    if (!word.startsWith('-') || word === '-') return index;
    if (takesNextWord(word)) index++;
  }
  return undefined;
}

function theDefault(): AnyCommand {
  const command = commandNamed(defaultCommand);
  if (command === undefined) throw new TypeError(`no command ${defaultCommand}`);
  return command;
}

function splitWords(argv: readonly string[], { command, indexes }: Called): Words {
  const rest = argv.filter((_word, index) => !indexes.includes(index));
  if (command?.raw === true) return { words: rest, tail: [], verbatim: [] };
  const dashes = rest.indexOf('--');
  const before = dashes === -1 ? rest : rest.slice(0, dashes);
  const cut = command === undefined ? undefined : indexOfVerbatim(command, before);
  if (cut !== undefined) return { words: rest.slice(0, cut), tail: [], verbatim: rest.slice(cut) };
  return { words: before, tail: dashes === -1 ? [] : rest.slice(dashes + 1), verbatim: [] };
}

/** Where the words begin that are not looked into. */
function indexOfVerbatim(command: AnyCommand, words: readonly string[]): number | undefined {
  const positionals = Object.values(command.arguments).filter((spec) => spec.as === 'positional');
  let left = positionals.findIndex((spec) => spec.type === 'strings' && spec.verbatim === true);
  if (left === -1) return undefined;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word.startsWith('-') && word !== '-') {
      if (takesNextWord(word, command)) index++;
    } else if (left-- === 0) return index;
  }
  return undefined;
}

/** @throws QrunError `not-implemented`, `usage` */
function refuseUncalled({ group, unknown, later }: Called): void {
  if (group === undefined) return;
  if (later !== undefined)
    throw new QrunError('not-implemented', `qrun ${later} is not implemented yet`, {
      hint: `qrun ${group.name} --help`,
    });
  if (unknown === undefined) return;
  const near = closestOf(
    unknown,
    commandsOf(group).map(({ name }) => name.slice(group.name.length + 1)),
  );
  const meant = near === undefined ? '' : ` (did you mean qrun ${group.name} ${near}?)`;
  throw new QrunError('usage', `qrun ${group.name}: there is no command ${JSON.stringify(unknown)}${meant}`, {
    hint: `qrun ${group.name} --help`,
  });
}

/** Options before the command's name can only be the default command's, or everybody's. */
function takesNextWord(word: string, command = commandNamed(defaultCommand)): boolean {
  const spec = specOfFlag(command, word);
  return spec?.as === 'option' && spec.type !== 'boolean';
}

function specOfFlag(command: AnyCommand | undefined, word: string): ArgumentSpec | undefined {
  if (word.includes('=')) return undefined;
  return Object.entries<ArgumentSpec>({ ...command?.arguments, ...globalOptions }).find(
    ([name, spec]) => spec.as === 'option' && (word === `--${flagOf(name)}` || word === `-${spec.short ?? '-'}`),
  )?.[1];
}

const parserConfiguration = {
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'greedy-arrays': false,
  'short-option-groups': true,
} as const;

const parseWords = async (command: AnyCommand, words: readonly string[]): Promise<Parsed> =>
  readPlainWords(words, optionsOf(command)) ?? (await parseByLibrary(command, words));

async function parseByLibrary(command: AnyCommand, words: readonly string[]): Promise<Parsed> {
  // the parser of yargs alone: all of yargs, which the help is made with, takes twice as long to load
  const { Parser } = await import('yargs/helpers');
  const options = optionsOf(command).map(([name, spec]) => ({ ...spec, flag: flagOf(name) }));
  const flagsOf = (type: string): string[] => options.filter((spec) => spec.type === type).map(({ flag }) => flag);
  const parsed = Parser.detailed(joinDashes(words, command), {
    configuration: parserConfiguration,
    boolean: flagsOf('boolean').filter((flag) => flag !== 'verbose'),
    string: flagsOf('string'),
    number: flagsOf('number'),
    array: flagsOf('strings').map((key) => ({ key, string: true })),
    count: ['verbose'],
    alias: Object.fromEntries(options.flatMap(({ flag, short }) => (short === undefined ? [] : [[flag, [short]]]))),
  });
  if (parsed.error !== null) throw usage(command, parsed.error.message);
  const { _: positionals, ...given } = parsed.argv;
  return { positionals: positionals.map(String), options: given };
}

/** A value that is `-` alone would be taken for the next option. */
function joinDashes(words: readonly string[], command: AnyCommand): string[] {
  return words.flatMap((word, index) => {
    if (word === '-' && takesNextWord(words[index - 1] ?? '', command)) return [];
    return words[index + 1] === '-' && takesNextWord(word, command) ? [`${word}=-`] : [word];
  });
}

type OptionSpec = Extract<ArgumentSpec, { readonly as: 'option' }>;

/** The command's own, then everybody's. */
export function optionsOf(command: Pick<AnyCommand, 'arguments'>): readonly (readonly [string, OptionSpec])[] {
  return Object.entries<ArgumentSpec>({ ...command.arguments, ...globalOptions }).filter(
    (entry): entry is [string, OptionSpec] => entry[1].as === 'option',
  );
}

function argumentsOf(command: AnyCommand, parsed: Parsed, tail: readonly string[]): Record<string, ArgumentValue> {
  refuseUnknown(command, parsed.options);
  refuseExclusive(command, parsed.options);
  const args: Record<string, ArgumentValue> = {};
  for (const [name, spec] of Object.entries(command.arguments)) {
    if (spec.as !== 'option') continue;
    const flag = flagOf(name);
    const value = valueOf(parsed.options[flag], spec, { command, written: `--${flag}` });
    if (value !== undefined) args[name] = value;
  }
  return { ...args, ...positionalsOf(command, parsed.positionals, tail) };
}

function refuseUnknown(command: AnyCommand, options: Readonly<Record<string, unknown>>): void {
  const known = new Set(
    optionsOf(command).flatMap(([name, { short }]) => [flagOf(name), ...(short === undefined ? [] : [short])]),
  );
  const unknown = Object.keys(options).find((name) => !known.has(name));
  if (unknown === undefined) return;
  const near = closestOf(
    unknown,
    [...known].filter((name) => name.length > 1),
  );
  const written = unknown.length === 1 ? `-${unknown}` : `--${unknown}`;
  throw usage(command, `unknown option ${written}${near === undefined ? '' : ` (did you mean --${near}?)`}`);
}

function refuseExclusive(command: AnyCommand, options: Readonly<Record<string, unknown>>): void {
  for (const group of command.exclusive ?? []) {
    const given = group.map(flagOf).filter((name) => options[name] !== undefined && options[name] !== false);
    if (given.length > 1)
      throw usage(command, `only one of ${given.map((name) => `--${name}`).join(' and ')} at a time`);
  }
}

interface Written {
  readonly command: AnyCommand;
  /** The option as a fault names it. */
  readonly written: string;
}

function valueOf(given: unknown, spec: OptionSpec, { command, written }: Written): ArgumentValue {
  if (spec.type === 'boolean') return given === true || (Array.isArray(given) && given.includes(true));
  if (spec.type === 'strings') return Array.isArray(given) ? given.map((one) => text(command, written, one)) : [];
  if (given === undefined) return spec.default;
  if (Array.isArray(given)) throw usage(command, `${written} is given twice`);
  if (spec.type === 'string') {
    const value = text(command, written, given);
    if (spec.choices !== undefined && !spec.choices.includes(value)) throw notAChoice(command, written, spec.choices);
    return value;
  }
  if (typeof given !== 'number' || !Number.isFinite(given) || given < 0)
    throw usage(command, `${written} wants a number (${spec.label})`);
  return given;
}

function text(command: AnyCommand, written: string, given: unknown): string {
  if (typeof given === 'string' && given !== '') return given;
  throw usage(command, `${written} wants a value`);
}

function positionalsOf(
  command: AnyCommand,
  words: readonly string[],
  tail: readonly string[],
): Record<string, ArgumentValue> {
  const specs = Object.entries(command.arguments);
  const rest = specs.find(([, spec]) => spec.as === 'rest')?.[0];
  // after `--` stand QEMU's arguments; but with no name before it, `--` only says that what follows are no options
  const own = rest !== undefined && words.length > 0 ? words : [...words, ...tail];
  const args: Record<string, ArgumentValue> = rest === undefined ? {} : { [rest]: own === words ? tail : [] };
  let next = 0;
  for (const [name, spec] of specs) {
    if (spec.as !== 'positional') continue;
    const given = spec.type === 'strings' ? own.slice(next) : own.slice(next, next + 1);
    next += given.length;
    if (given.length === 0 && spec.required) throw usage(command, `${spec.label} is missing: ${spec.summary}`);
    const first = given[0];
    if (spec.choices !== undefined && first !== undefined && !spec.choices.includes(first))
      throw notAChoice(command, spec.label, spec.choices);
    if (spec.type === 'strings') args[name] = given;
    else if (first !== undefined) args[name] = first;
  }
  const extra = own[next];
  if (extra !== undefined) throw tooMany(command, extra);
  return args;
}

const notAChoice = (command: AnyCommand, written: string, choices: readonly string[]): QrunError =>
  usage(command, `${written} is one of ${choices.join(', ')}`);

/** It may be what one of the options wants. */
function tooMany(command: AnyCommand, extra: string): QrunError {
  const option = Object.entries(command.arguments).find(
    ([, spec]) => spec.as === 'option' && 'choices' in spec && spec.choices?.includes(extra) === true,
  )?.[0];
  const message = `${JSON.stringify(extra)} is one argument too many`;
  return option === undefined
    ? usage(command, message)
    : usage(command, message, `qrun ${command.name} --${flagOf(option)} ${extra}`);
}

function usage(command: AnyCommand, message: string, hint: string = `qrun ${command.name} --help`): QrunError {
  return new QrunError('usage', `qrun ${command.name}: ${message}`, { hint });
}
