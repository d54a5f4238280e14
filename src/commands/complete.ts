/**
 * `__complete SHELL WORD…`: what could stand in place of the last word. The first line says what the others are: `words` (with a tab and a summary
 * behind each, for shells that show one) or `files`: then the shell offers files itself.
 */
import { listLabNames } from '../host/lab-files.ts';
import { isPath } from '../host/definition-files.ts';
import { listProfiles } from '../host/profile-files.ts';
import { listRunning, listVmNames } from '../launch/vms.ts';
import { listNetworkNames, listUpNetworkNames } from '../networks/names.ts';
import { visible } from '../report/visible.ts';
import type { RawArguments } from './arguments.ts';
import {
  flagOf,
  groupOf,
  type AnyCommand,
  type ArgumentSpec,
  type CommandContext,
  type CommandGroup,
  type Run,
  type ValueKind,
} from './command.ts';
import { commandNamed, commands, commandsOf, defaultCommand, groupNamed, groups } from './list.ts';
import { optionsOf } from './parse-arguments.ts';

interface Candidate {
  readonly word: string;
  readonly summary?: string;
}
type Answer = readonly Candidate[] | 'files';

export const run: Run<RawArguments> = async ({ words }, context) => {
  const [shell, ...line] = words;
  const answer = answerSafely(line, context);
  if (answer === 'files') context.report.out('files');
  else context.report.out(['words', ...answer.map((one) => renderCandidate(one, shell !== 'bash'))].join('\n'));
  return 0;
};

/** A key press is no place for an error. */
function answerSafely(line: readonly string[], context: CommandContext): Answer {
  try {
    return answerFor(line, context);
  } catch {
    return [];
  }
}

function renderCandidate({ word, summary }: Candidate, described: boolean): string {
  return described && summary !== undefined ? `${word}\t${summary}` : word;
}

/** @param line all words up to the one that is being written, which may be empty */
function answerFor(line: readonly string[], context: CommandContext): Answer {
  // bash takes `--name=value` apart at the sign
  const words = line.filter((word, index) => word !== '=' || index === line.length - 1);
  const current = words.at(-1) === '=' ? '' : (words.at(-1) ?? '');
  const before = words.slice(0, -1);
  if (before.includes('--')) return 'files';
  const { command, group, written: names } = calledBy(before);
  if (group !== undefined && command === undefined) return wordsOfGroup(group, names, current);
  const known = command ?? commandNamed(defaultCommand);
  if (known === undefined) return [];
  const pending = pendingOption(known, before.at(-1));
  const written = /^(?<flag>--[a-z-]+)=(?<value>.*)$/s.exec(current)?.groups;
  const answer =
    pending !== undefined
      ? valuesOf(pending, context)
      : written !== undefined
        ? prefixed(`${written['flag'] ?? ''}=`, valuesOf(pendingOption(known, written['flag']) ?? {}, context))
        : current.startsWith('-')
          ? optionWords(known, before)
          : positionalWords({ command, known, names, before, current, context });
  return answer === 'files' ? answer : answer.filter(({ word }) => word.startsWith(current));
}

interface Position {
  /** The command that was written; undefined: the default one. */
  readonly command: AnyCommand | undefined;
  readonly known: AnyCommand;
  /** How many words it took to call it. */
  readonly names: number;
  readonly before: readonly string[];
  readonly current: string;
  readonly context: CommandContext;
}

function positionalWords({ command, known, names, before, current, context }: Position): Answer {
  const given = positionalsIn(known, before).slice(names);
  const spec = positionalAt(known, given.length);
  if (spec === undefined) return [];
  const values =
    /[/.]/.test(current) && ['profile', 'network', 'lab'].includes(spec.values) ? 'files' : valuesOf(spec, context);
  if (values === 'files') return values;
  const first = command === undefined && given.length === 0 ? commandWords() : [];
  return [...first, ...values.filter(({ word }) => !given.includes(word))];
}

interface Called {
  readonly command?: AnyCommand;
  readonly group?: CommandGroup;
  /** How many words call it. */
  readonly written: number;
}

function calledBy(before: readonly string[]): Called {
  const fallback = commandNamed(defaultCommand);
  const [first, second] = fallback === undefined ? [] : positionalsIn(fallback, before);
  if (first === undefined) return { written: 0 };
  const group = groupNamed(first);
  const command = commandNamed(group === undefined ? first : `${first} ${second ?? ''}`);
  const written = group === undefined ? Number(command !== undefined) : second === undefined ? 1 : 2;
  return { written, ...(group && { group }), ...(command && { command }) };
}

/** Its commands, as long as none is written. */
function wordsOfGroup(group: CommandGroup, written: number, current: string): readonly Candidate[] {
  if (written > 1) return [];
  const words = current.startsWith('-')
    ? optionWords({ arguments: {} }, [])
    : commandsOf(group).map(({ name, summary }) => ({ word: name.slice(group.name.length + 1), summary }));
  return words.filter(({ word }) => word.startsWith(current));
}

/** Words that are neither options nor the values of options. */
function positionalsIn(command: AnyCommand, words: readonly string[]): readonly string[] {
  return words.filter((word, index) => !word.startsWith('-') && pendingOption(command, words[index - 1]) === undefined);
}

type Positional = Extract<ArgumentSpec, { readonly as: 'positional' }>;

function positionalAt(command: AnyCommand, index: number): Positional | undefined {
  const specs = Object.values(command.arguments).filter((spec): spec is Positional => spec.as === 'positional');
  const last = specs.at(-1);
  return specs[index] ?? (last?.type === 'strings' ? last : undefined);
}

/** The option that waits for its value, if that word is one. */
function pendingOption(command: AnyCommand, word: string | undefined): ValueSource | undefined {
  const found = optionsOf(command).find(
    ([name, { short }]) => word === `--${flagOf(name)}` || word === `-${short ?? '-'}`,
  );
  return found === undefined || found[1].type === 'boolean' ? undefined : found[1];
}

function optionWords(command: Pick<AnyCommand, 'arguments'>, before: readonly string[]): readonly Candidate[] {
  return optionsOf(command)
    .filter(([name, { type }]) => type === 'strings' || name === 'verbose' || !before.includes(`--${flagOf(name)}`))
    .map(([name, { summary }]) => ({ word: `--${flagOf(name)}`, summary }));
}

const commandWords = (): readonly Candidate[] =>
  [...commands.filter(({ name, hidden }) => hidden !== true && groupOf(name) === undefined), ...groups].map(
    ({ name, summary }) => ({ word: name, summary }),
  );

/** Those that a name leads to. */
const profilesIn = ({ places }: CommandContext): ReturnType<typeof listProfiles> =>
  listProfiles(places).filter(({ name }) => !isPath(name));

interface ValueSource {
  readonly values?: ValueKind;
  readonly choices?: readonly string[];
}

function valuesOf({ values, choices }: ValueSource, context: CommandContext): Answer {
  if (choices !== undefined) return choices.map((word) => ({ word }));
  switch (values) {
    case 'profile':
      return profilesIn(context).map(({ name, file }) => ({ word: name, summary: visible(file) }));
    case 'lab':
      return [
        ...listLabNames(context.places).map((word) => ({ word, summary: 'lab' })),
        ...profilesIn(context).map(({ name, file }) => ({ word: name, summary: visible(file) })),
      ];
    case 'vm':
      return listVmNames(context.places).map((word) => ({ word, summary: 'VM' }));
    case 'running':
      return listRunning(context).map(({ vm, state }) => ({ word: vm, summary: state }));
    case 'network':
      return listNetworkNames(context.places).map((word) => ({ word, summary: 'network' }));
    case 'up-network':
      return listUpNetworkNames(context.places).map((word) => ({ word, summary: 'network' }));
    case 'file':
      return 'files';
    default:
      return [];
  }
}

const prefixed = (prefix: string, answer: Answer): Answer =>
  answer === 'files' ? answer : answer.map(({ word, ...rest }) => ({ word: `${prefix}${word}`, ...rest }));
