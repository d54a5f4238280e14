/**
 * Every command, as data, in the order of the help. The parser, the help, the completion and the man page are made from it.
 * A handler's module is loaded only when its command runs.
 */
import { flag } from './argument-specs.ts';
import { groupOf, type AnyCommand, type ArgumentSpec, type CommandGroup } from './command.ts';
import { hostCommands } from './host-commands.ts';
import { labCommands } from './lab-commands.ts';
import { networkCommands, networkGroup } from './network-commands.ts';
import { ownCommands } from './own-commands.ts';
import { profileCommands } from './profile-commands.ts';
import { vmCommands } from './vm-commands.ts';

/** The command that `qrun NAME` means. */
export const defaultCommand = 'run';

export const commands: readonly AnyCommand[] = [
  ...vmCommands,
  ...profileCommands,
  ...labCommands,
  ...networkCommands,
  ...hostCommands,
  ...ownCommands,
];

/** First words of commands that are called by two. */
export const groups: readonly CommandGroup[] = [networkGroup];

/** Options that every command takes. `help` and `version` are the parser's own. */
export const globalOptions = {
  json: flag('results and errors as JSON'),
  quiet: { ...flag('say less'), short: 'q' },
  verbose: { ...flag('say more; again for still more'), short: 'v' },
  help: { ...flag('show help'), short: 'h' },
  version: flag('show the version'),
} as const satisfies Readonly<Record<string, ArgumentSpec>>;

/** @param name as it is called: `stop`, `net ls` */
export const commandNamed = (name: string): AnyCommand | undefined => commands.find((one) => one.name === name);
export const groupNamed = (name: string): CommandGroup | undefined => groups.find((one) => one.name === name);
export const commandsOf = (group: CommandGroup): readonly AnyCommand[] =>
  commands.filter(({ name, hidden }) => groupOf(name) === group.name && hidden !== true);

/** Commands that are promised: whoever types one is told that it is to come. */
export const laterCommands: readonly string[] = ['net enter', 'net import', 'net export'];
