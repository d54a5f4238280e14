/** The help, of qrun, of a group or of one command, laid out by yargs from the list. */
import type { Argv } from 'yargs';
import { flagOf, groupOf, type AnyCommand, type ArgumentSpec, type CommandGroup } from './command.ts';
import { commands, commandsOf, groups } from './list.ts';
import { optionsOf } from './parse-arguments.ts';

const widest = 100;

/** @param topic undefined: all of qrun @param columns of the terminal; undefined where there is none */
export async function renderHelp(
  topic: AnyCommand | CommandGroup | undefined,
  columns: number | undefined,
): Promise<string> {
  const { default: yargs } = await import('yargs');
  const parser = yargs([])
    .locale('en')
    .help(false)
    .version(false)
    .exitProcess(false)
    .scriptName('qrun')
    .wrap(Math.min(widest, columns ?? 80));
  return `${await describe(parser, topic).getHelp()}\n`;
}

function describe(parser: Argv, topic: AnyCommand | CommandGroup | undefined): Argv {
  if (topic === undefined) return describeAll(parser);
  return 'load' in topic ? describeOne(parser, topic) : describeGroup(parser, topic);
}

function describeAll(parser: Argv): Argv {
  parser.usage('qrun NAME… [-d] [-- QEMU-ARGS]\nqrun COMMAND …\n\nRuns QEMU virtual machines from YAML profiles.');
  const told = new Set<string>();
  for (const one of commands) {
    if (one.hidden === true) continue;
    const group = groups.find(({ name }) => name === groupOf(one.name));
    if (group === undefined) parser.command(shortSynopsisOf(one), one.summary);
    else if (!told.has(group.name)) parser.command(`${group.name} COMMAND …`, group.summary);
    told.add(group?.name ?? one.name);
  }
  describeOptions(parser, optionsOf({ arguments: {} }));
  return parser.epilogue('qrun COMMAND --help tells more; man qrun tells all.');
}

function describeGroup(parser: Argv, group: CommandGroup): Argv {
  parser.usage(`qrun ${group.name} COMMAND …\n\n${sentence(group.summary)}`);
  for (const one of commandsOf(group)) parser.command(shortSynopsisOf(one), one.summary);
  describeOptions(parser, optionsOf({ arguments: {} }));
  return parser.epilogue(`qrun ${group.name} COMMAND --help tells more; man qrun tells all.`);
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
