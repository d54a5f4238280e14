/**
 * Every command, as data. The parser, the help, the completion and the man page are made from it.
 * A handler's module is loaded only when its command runs.
 */
import type {
  CompletionArguments,
  DoctorArguments,
  EditArguments,
  GcArguments,
  LogsArguments,
  MonitorArguments,
  NewArguments,
  NoArguments,
  RawArguments,
  RmArguments,
  RunArguments,
  ShowArguments,
  StopArguments,
  VmArguments,
  VmsArguments,
  WaitArguments,
} from './arguments.ts';
import { command, type AnyCommand, type ArgumentSpec, type ValueKind } from './command.ts';

const profile = { as: 'positional', label: 'NAME', values: 'profile' } as const;
const vm = { as: 'positional', type: 'string', label: 'NAME', values: 'running', required: true } as const;
const vms = { ...vm, type: 'strings' } as const;
const flag = (summary: string) => ({ as: 'option', type: 'boolean', summary }) as const;
const value = (label: string, summary: string, values: ValueKind = 'text') =>
  ({ as: 'option', type: 'string', label, summary, values }) as const;
const number = (label: string, summary: string) => ({ as: 'option', type: 'number', label, summary }) as const;

const qemuArgs = { as: 'rest', type: 'strings', label: 'QEMU-ARGS', summary: 'handed to QEMU as they are' } as const;
const asName = value('NAME', "the VM's name, when it is not the profile's: one profile, many VMs");
const ephemeral = flag('leave the disks as they are: what the guest writes is gone at its end');

/** Commands that are to come: a VM of such a name is reached by `qrun run NAME`, now as then. */
export const laterCommands: readonly string[] = ['up', 'down', 'net', 'setup', 'ssh', 'alias'];

/** The command that `qrun NAME` means. */
export const defaultCommand = 'run';

export const commands: readonly AnyCommand[] = [
  command<RunArguments>({
    name: 'run',
    summary: 'start VMs; one without -d is attached to your terminal',
    family: 'profile',
    arguments: {
      profiles: { ...profile, type: 'strings', required: true, summary: 'a profile by name, or the path of its file' },
      detach: { ...flag('return as soon as QEMU runs'), short: 'd' },
      name: asName,
      ephemeral,
      qemuArgs,
    },
    examples: [
      { line: 'web1', means: 'start web1 and attach to its console' },
      { line: 'run ls -d', means: 'start a VM that is called like a command' },
      {
        line: './web.yaml --name web2 -d -- -device virtio-rng-pci',
        means: 'a VM of another name from a file, with an option for QEMU',
      },
    ],
    load: () => import('./run.ts'),
  }),
  command<ShowArguments>({
    name: 'show',
    summary: 'show everything that a run would do, and do nothing',
    family: 'profile',
    document: true,
    arguments: {
      profile: { ...profile, type: 'string', required: true, summary: 'a profile by name, or the path of its file' },
      shell: flag('as a shell script that runs by itself'),
      name: asName,
      ephemeral,
      qemuArgs,
    },
    exclusive: [['shell', 'json']],
    examples: [{ line: 'show web1 --shell >web1.sh', means: 'a script that does the same' }],
    load: () => import('./show.ts'),
  }),
  command<NoArguments>({
    name: 'ls',
    summary: 'list profiles and the state of their VMs',
    document: true,
    arguments: {},
    examples: [{ line: 'ls --json', means: 'the same for a script' }],
    load: () => import('./ls.ts'),
  }),
  command<NoArguments>({
    name: 'ps',
    summary: 'list running VMs',
    document: true,
    arguments: {},
    examples: [{ line: 'ps', means: 'what runs, since when, with which addresses' }],
    load: () => import('./ps.ts'),
  }),
  command<VmArguments>({
    name: 'nics',
    summary: "list a VM's network interfaces",
    document: true,
    arguments: { vm: { ...vm, values: 'profile', summary: 'a VM or a profile' } },
    examples: [{ line: 'nics web1', means: 'kinds, MAC addresses, host interfaces, IP addresses where known' }],
    load: () => import('./nics.ts'),
  }),
  command<StopArguments>({
    name: 'stop',
    summary: 'ask guests to power down, and insist when the time is up',
    arguments: {
      vms: { ...vms, summary: 'running VMs' },
      timeout: number('SECONDS', 'how long a guest may take; default is what its profile says, else 60'),
    },
    examples: [{ line: 'stop web1 web2 --timeout 20', means: 'both at once, 20 s for each' }],
    load: () => import('./stop.ts'),
  }),
  command<VmsArguments>({
    name: 'kill',
    summary: 'end VMs at once, as by pulling the plug',
    arguments: { vms: { ...vms, summary: 'running VMs' } },
    examples: [{ line: 'kill web1', means: 'end it now' }],
    load: () => import('./kill.ts'),
  }),
  command<VmsArguments>({
    name: 'reset',
    summary: 'press the reset button',
    arguments: { vms: { ...vms, summary: 'running VMs' } },
    examples: [{ line: 'reset web1', means: 'boot it anew' }],
    load: () => import('./reset.ts'),
  }),
  command<VmsArguments>({
    name: 'pause',
    summary: 'hold the virtual CPUs',
    arguments: { vms: { ...vms, summary: 'running VMs' } },
    examples: [{ line: 'pause web1', means: 'hold it until qrun resume' }],
    load: () => import('./pause.ts'),
  }),
  command<VmsArguments>({
    name: 'resume',
    summary: 'let the virtual CPUs go on',
    arguments: { vms: { ...vms, summary: 'paused VMs' } },
    examples: [{ line: 'resume web1', means: 'let it go on' }],
    load: () => import('./resume.ts'),
  }),
  command<WaitArguments>({
    name: 'wait',
    summary: 'wait until a VM ends, answers on a port, or says something',
    arguments: {
      vm: { ...vm, summary: 'a running VM' },
      for: {
        ...value('WHAT', 'end (the default), port:22 (a guest port that is forwarded), or text:REGEX (on the console)'),
        default: 'end',
      },
      timeout: number('SECONDS', 'give up after that; default: never'),
    },
    examples: [
      { line: 'wait web1 --for port:22 --timeout 60', means: 'until its ssh answers' },
      { line: "wait web1 --for 'text:login:'", means: 'until its console shows that' },
    ],
    load: () => import('./wait.ts'),
  }),
  command<VmArguments>({
    name: 'console',
    summary: "attach to a VM's serial console; Ctrl-] leaves it",
    arguments: { vm: { ...vm, summary: 'a running VM' } },
    examples: [{ line: 'console web1', means: 'attach; the VM lives on when you leave' }],
    load: () => import('./console.ts'),
  }),
  command<LogsArguments>({
    name: 'logs',
    summary: "print QEMU's and the console's output of the last run",
    arguments: {
      vm: { ...vm, values: 'vm', summary: 'a VM, running or not' },
      follow: { ...flag('go on until the VM ends'), short: 'f' },
      console: flag("only the console's"),
      qemu: flag("only QEMU's own"),
      previous: flag('of the run before'),
      lines: { ...number('N', 'only the last N lines'), short: 'n' },
    },
    exclusive: [
      ['console', 'qemu'],
      ['follow', 'previous'],
    ],
    examples: [{ line: 'logs -f web1', means: 'follow it' }],
    load: () => import('./logs.ts'),
  }),
  command<MonitorArguments>({
    name: 'monitor',
    summary: "QEMU's human monitor: one command, or a prompt",
    arguments: {
      vm: { ...vm, summary: 'a running VM' },
      command: {
        as: 'positional',
        type: 'strings',
        label: 'CMD',
        values: 'words',
        required: false,
        summary: 'words of one command; without it, a prompt',
      },
    },
    examples: [{ line: 'monitor web1 info network', means: 'one command' }],
    load: () => import('./monitor.ts'),
  }),
  command<NewArguments>({
    name: 'new',
    summary: 'write a commented profile',
    family: 'profile',
    arguments: {
      name: {
        ...profile,
        type: 'string',
        required: true,
        values: 'text',
        summary: 'the name of the profile and its VM',
      },
      memory: value('SIZE', 'such as 1G; a number is MiB'),
      cpus: value('N', 'virtual CPUs'),
      disk: value('FILE', 'a disk image', 'file'),
      size: value('SIZE', 'create that disk with this size'),
      cdrom: value('FILE', 'an ISO image', 'file'),
      kernel: value('FILE', 'boot this kernel directly', 'file'),
      initrd: value('FILE', 'with this initial RAM disk', 'file'),
      append: value('TEXT', "and this on the kernel's command line"),
      nic: {
        as: 'option',
        type: 'strings',
        label: 'NIC',
        summary: 'user, bridge:br0, tap:tap0, mcast:230.0.0.1:12345, …; may be repeated',
      },
      force: flag('write over a profile that is there'),
    },
    examples: [
      {
        line: 'new web1 --memory 2G --disk web1.qcow2 --size 20G --cdrom debian.iso',
        means: 'a VM to install from a CD',
      },
    ],
    load: () => import('./new.ts'),
  }),
  command<EditArguments>({
    name: 'edit',
    summary: 'edit a profile with $VISUAL or $EDITOR; a faulty one is not kept',
    family: 'profile',
    arguments: {
      profile: { ...profile, type: 'string', required: true, summary: 'a profile' },
      force: flag('keep the file even with faults'),
    },
    examples: [{ line: 'edit web1', means: 'edit, check, then keep' }],
    load: () => import('./edit.ts'),
  }),
  command<RmArguments>({
    name: 'rm',
    summary: 'forget VMs: MAC addresses, ports and logs; the profile stays',
    arguments: {
      vms: { ...profile, type: 'strings', required: true, summary: 'VMs or profiles' },
      disks: flag('also the disks that were made for them, and their UEFI variables'),
    },
    examples: [{ line: 'rm web1', means: 'its profile and its disks stay' }],
    load: () => import('./rm.ts'),
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

/** Options that every command takes. `help` and `version` are the parser's own. */
export const globalOptions = {
  json: flag('results and errors as JSON'),
  quiet: { ...flag('say less'), short: 'q' },
  verbose: { ...flag('say more; again for still more'), short: 'v' },
  help: { ...flag('show help'), short: 'h' },
  version: flag('show the version'),
} as const satisfies Readonly<Record<string, ArgumentSpec>>;

export const commandNamed = (name: string): AnyCommand | undefined => commands.find((one) => one.name === name);
