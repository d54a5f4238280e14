/** The help, of qrun or of one command, laid out by yargs from the list. */
import type { Argv } from 'yargs';
import { flagOf, type AnyCommand, type ArgumentSpec } from './command.ts';
import { commands } from './list.ts';
import { optionsOf } from './parse-arguments.ts';

const widest = 100;

/** @param columns of the terminal; undefined where there is none */
export async function renderHelp(command: AnyCommand | undefined, columns: number | undefined): Promise<string> {
  const { default: yargs } = await import('yargs');
  const parser = yargs([])
    .locale('en')
    .help(false)
    .version(false)
    .exitProcess(false)
    .scriptName('qrun')
    .wrap(Math.min(widest, columns ?? 80));
  return `${await (command === undefined ? describeAll(parser) : describeOne(parser, command)).getHelp()}\n`;
}

function describeAll(parser: Argv): Argv {
  parser.usage('qrun NAME… [-d] [-- QEMU-ARGS]\nqrun COMMAND …\n\nRuns QEMU virtual machines from YAML profiles.');
  for (const one of commands) {
    if (one.hidden !== true) parser.command(shortSynopsisOf(one), one.summary);
  }
  describeOptions(parser, optionsOf({ arguments: {} }));
  return parser.epilogue('qrun COMMAND --help tells more; man qrun tells all.');
}

function describeOne(parser: Argv, command: AnyCommand): Argv {
  const positionals = Object.values(command.arguments)
    .filter((spec) => spec.as !== 'option')
    .map((spec) => `  ${spec.label}  ${spec.summary}`);
  const about = [
    `qrun ${synopsisOf(command)}`,
    '',
    sentence(command.summary),
    ...(positionals.length > 0 ? [''] : []),
    ...positionals,
  ];
  parser.usage(about.join('\n'));
  describeOptions(parser, optionsOf(command));
  for (const { line, means } of command.examples) parser.example(`qrun ${line}`, means);
  return parser;
}

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

function describeOptions(parser: Argv, options: ReturnType<typeof optionsOf>): void {
  for (const [name, spec] of options) {
    const label = spec.type === 'boolean' ? '' : `${spec.label}: `;
    parser.option(flagOf(name), {
      ...(spec.short !== undefined && { alias: spec.short }),
      describe: `${label}${spec.summary}`,
    });
  }
}

/** `stop NAME… [--timeout SECONDS]` */
export function synopsisOf(command: AnyCommand): string {
  const words = Object.entries(command.arguments)
    .toSorted(byPlace)
    .map(([name, spec]) => wordOf(name, spec));
  return [command.name, ...words].join(' ');
}

/** Without options: for the list of all commands. */
function shortSynopsisOf(command: AnyCommand): string {
  const positionals = Object.entries(command.arguments).filter(([, spec]) => spec.as === 'positional');
  return synopsisOf({ ...command, arguments: Object.fromEntries(positionals) });
}

const places = { positional: 0, option: 1, rest: 2 } as const;
const byPlace = ([, one]: readonly [string, ArgumentSpec], [, other]: readonly [string, ArgumentSpec]): number =>
  places[one.as] - places[other.as];

function wordOf(name: string, spec: ArgumentSpec): string {
  if (spec.as === 'rest') return `[-- ${spec.label}]`;
  if (spec.as === 'option') {
    const flag = spec.short === undefined ? `--${flagOf(name)}` : `-${spec.short}`;
    return spec.type === 'boolean' ? `[${flag}]` : `[${flag} ${spec.label}]`;
  }
  const label = spec.type === 'strings' ? `${spec.label}…` : (spec.choices?.join('|') ?? spec.label);
  return spec.required ? label : `[${label}]`;
}
