/** Commands that qrun calls itself, as data. */
import type { RawArguments } from './arguments.ts';
import { command, type AnyCommand } from './command.ts';

export const ownCommands: readonly AnyCommand[] = [
  command<RawArguments>({
    name: '__complete',
    summary: 'words that could stand at the end of a command line',
    hidden: true,
    raw: true,
    arguments: { words: { as: 'rest', type: 'strings', label: 'WORD', summary: 'the words so far' } },
    examples: [],
    load: () => import('./complete.ts'),
  }),
  command<RawArguments>({
    name: '__release',
    summary: 'gives back what a VM held, when QEMU has ended',
    hidden: true,
    raw: true,
    arguments: { words: { as: 'rest', type: 'strings', label: 'WORD', summary: 'what the waiter tells' } },
    examples: [],
    load: () => import('./release.ts'),
  }),
];
