/** Commands of profiles and of what VMs keep, as data. */
import type { AutostartArguments, EditArguments, NewArguments, RmArguments } from './arguments.ts';
import { flag, profile, value } from './argument-specs.ts';
import { command, type AnyCommand } from './command.ts';

export const profileCommands: readonly AnyCommand[] = [
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
  command<AutostartArguments>({
    name: 'autostart',
    summary: 'have a VM start with the host, by a unit of systemd',
    family: 'profile',
    arguments: {
      profile: { ...profile, type: 'string', required: true, summary: 'a profile, by its name' },
      off: flag('no more'),
    },
    examples: [
      { line: 'autostart web1', means: 'from the next start of the host on, after its networks' },
      { line: 'autostart web1 --off', means: 'and no more' },
    ],
    load: () => import('./autostart.ts'),
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
];
