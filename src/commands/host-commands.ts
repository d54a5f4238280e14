/** Commands of this host and of the shell, as data. */
import type { CompletionArguments, DoctorArguments, GcArguments } from './arguments.ts';
import { flag, profile, vm } from './argument-specs.ts';
import { command, type AnyCommand } from './command.ts';

export const hostCommands: readonly AnyCommand[] = [
  command<DoctorArguments>({
    name: 'doctor',
    summary: 'tell what works on this host, and the one command that mends what does not',
    family: 'profile',
    document: true,
    arguments: {
      profile: { ...profile, type: 'string', required: false, summary: 'only what this profile needs' },
    },
    examples: [{ line: 'doctor web1', means: 'would web1 run here?' }],
    load: () => import('./doctor.ts'),
  }),
  command<GcArguments>({
    name: 'gc',
    summary: 'remove what dead VMs left behind',
    document: true,
    arguments: {
      vm: { ...vm, values: 'vm', required: false, summary: 'only of this VM' },
      dryRun: flag('only tell'),
    },
    examples: [{ line: 'gc --dry-run', means: 'what would be removed' }],
    load: () => import('./gc.ts'),
  }),
  command<CompletionArguments>({
    name: 'completion',
    summary: 'print the completion script of a shell',
    arguments: {
      shell: {
        as: 'positional',
        type: 'string',
        label: 'SHELL',
        values: 'shell',
        choices: ['bash', 'zsh', 'fish'],
        required: true,
        summary: 'bash, zsh or fish',
      },
    },
    examples: [{ line: 'completion bash >~/.local/share/bash-completion/completions/qrun', means: 'for bash' }],
    load: () => import('./completion.ts'),
  }),
];
