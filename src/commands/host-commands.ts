/** Commands of this host and of the shell, as data. */
import type { AliasArguments, CompletionArguments, DoctorArguments, GcArguments, SetupArguments } from './arguments.ts';
import { flag, profile, value, vm } from './argument-specs.ts';
import { command, type AnyCommand } from './command.ts';

const shells = ['bash', 'zsh', 'fish'];

export const hostCommands: readonly AnyCommand[] = [
  command<SetupArguments>({
    name: 'setup',
    summary: 'prepare this host, once and as root, so that ordinary users need no root',
    document: true,
    arguments: {
      bridge: value('BRIDGE', 'make this bridge, now and for good, and let users on it'),
      uplink: value('IF', 'this network card becomes a port of the bridge; its addresses and routes move there'),
      hostAccess: value('IF', 'on this network card the host can reach guests of kind macvtap, now and for good'),
      address: value('CIDR', "the host's address on the bridge, or for --host-access, such as 10.0.5.1/24"),
      group: value('GROUP', 'only members of this group may use the bridge; it is made if it is missing'),
      dryRun: flag('only tell: every command, and every file with what it holds'),
      undo: flag('take back what setup made, and only that'),
      yes: flag("even if the uplink is this host's only way out"),
    },
    examples: [
      {
        line: 'setup --bridge br0 --address 10.0.5.1/24',
        means: 'with sudo: from then on qrun web1 with nics: [bridge:br0]',
      },
      { line: 'setup --bridge br0 --uplink eth1 --dry-run', means: 'what it would take to have guests on the LAN' },
      { line: 'setup --host-access eth1', means: 'with sudo: the host reaches guests with nics: [macvtap:eth1]' },
      { line: 'setup --undo', means: 'with sudo: the host is as it was' },
    ],
    load: () => import('./setup.ts'),
  }),
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
      vm: { ...vm, values: 'vm', required: false, summary: 'only of this VM, or of this network' },
      dryRun: flag('only tell'),
    },
    examples: [{ line: 'gc --dry-run', means: 'what would be removed' }],
    load: () => import('./gc.ts'),
  }),
  command<AliasArguments>({
    name: 'alias',
    summary: 'print aliases for all profiles, so that a VM is started by its bare name',
    document: true,
    arguments: { shell: { ...value('SHELL', 'bash, zsh or fish; default is what $SHELL says'), choices: shells } },
    examples: [
      { line: 'alias', means: 'in ~/.bashrc or ~/.zshrc: eval "$(qrun alias)"' },
      { line: 'alias --shell fish', means: 'in config.fish: qrun alias --shell fish | source' },
    ],
    load: () => import('./alias.ts'),
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
        choices: shells,
        required: true,
        summary: 'bash, zsh or fish',
      },
    },
    examples: [{ line: 'completion bash >~/.local/share/bash-completion/completions/qrun', means: 'for bash' }],
    load: () => import('./completion.ts'),
  }),
];
