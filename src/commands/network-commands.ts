/** Commands of managed networks, as data. Each is called by two words, `net ls`; `networkGroup` is the first of them. */
import type { NoArguments } from './arguments.ts';
import { command, type AnyCommand, type CommandGroup } from './command.ts';

export const networkGroup: CommandGroup = {
  name: 'net',
  summary: 'managed networks: LANs of your own, with leases, names, a way out and a way in',
};

export const networkCommands: readonly AnyCommand[] = [
  command<NoArguments>({
    name: 'net ls',
    summary: 'list networks and their state',
    family: 'network',
    document: true,
    arguments: {},
    examples: [{ line: 'net ls', means: 'what is defined, and what is up' }],
    load: () => import('./net-ls.ts'),
  }),
];
