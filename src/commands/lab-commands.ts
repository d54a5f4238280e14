/** Commands of labs, as data: several VMs and their networks together. */
import { number } from './argument-specs.ts';
import type { LabArguments } from './arguments.ts';
import { command, type AnyCommand } from './command.ts';

const targets = {
  as: 'positional',
  type: 'strings',
  label: 'FILE|NAME',
  values: 'lab',
  required: true,
  summary: 'labs and profiles, by name or by the path of a file',
} as const;

export const labCommands: readonly AnyCommand[] = [
  command<LabArguments>({
    name: 'up',
    summary: 'start a lab: several VMs and their networks, in their order, all or nothing',
    family: 'profile',
    document: true,
    arguments: {
      targets,
      timeout: number('SECONDS', 'how long each "wait" may take; default is what the lab says, else no limit'),
    },
    examples: [
      { line: 'up ./lab.yaml', means: 'its networks and VMs; what runs already stays as it is' },
      { line: 'up db web1', means: 'two VMs, or neither' },
    ],
    load: () => import('./up.ts'),
  }),
  command<LabArguments>({
    name: 'down',
    summary: 'power down a lab in the opposite order, then its networks',
    family: 'profile',
    document: true,
    arguments: {
      targets,
      timeout: number('SECONDS', 'how long a guest may take; default is what its profile says, else 60'),
    },
    examples: [{ line: 'down ./lab.yaml', means: 'what of it does not run is no matter' }],
    load: () => import('./down.ts'),
  }),
];
