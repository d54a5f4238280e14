/** An action of a step, in one line that a person can run or understand. */
import type { Action } from '../plan/step.ts';
import { shellWord, shellWords } from './shell-word.ts';
import { visible } from './visible.ts';

export function renderAction(action: Action): string {
  return visible('argv' in action ? renderCommand(action) : renderOperation(action));
}

function renderCommand({ argv, env, stdin }: Extract<Action, { readonly argv: readonly string[] }>): string {
  const variables = Object.entries(env ?? {}).map(([name, value]) => `${name}=${shellWord(value)}`);
  const input = stdin === undefined ? [] : [`<<< ${shellWord(stdin)}`];
  return [...variables, shellWords(argv), ...input].join(' ');
}

const modes = { read: '<', append: '>>', 'read-write': '<>' } as const;

function renderOperation(action: Exclude<Action, { readonly argv: readonly string[] }>): string {
  switch (action.op) {
    case 'mkdir': {
      const owner = action.owner === undefined ? '' : `, owner ${action.owner.uid}:${action.owner.gid}`;
      return `mkdir -m ${action.mode} ${shellWord(action.path)}${owner}`;
    }
    case 'open':
      return `open ${action.fd}${modes[action.mode]}${shellWord(action.path)}`;
    case 'lock':
      return `${action.shared === true ? 'share the lock' : 'lock'} ${shellWord(action.path)} (descriptor ${action.fd})`;
    case 'write':
      return `write ${shellWord(action.path)}: ${shellWord(action.content)}`;
    case 'copy':
      return `copy ${shellWord(action.from)} to ${shellWord(action.to)}, once`;
    case 'check-port':
      return action.port === 'auto'
        ? `find a free ${action.protocol} port on ${action.address}`
        : `check that ${action.protocol} port ${action.port} is free on ${action.address}`;
    case 'check-group':
      return `check that the group ${action.address}:${action.port} can be joined on ${action.interface}`;
    case 'check-socket':
      return action.use === 'bind'
        ? `check that nobody has the socket ${shellWord(action.path)}`
        : `check that ${shellWord(action.path)} is a socket, if it is there`;
    case 'check-switch':
      return `check that a VDE switch listens in ${shellWord(action.path)}`;
    case 'rotate':
      return `keep ${shellWord(action.path)} of the run before as ${shellWord(`${action.path}.1`)}`;
    case 'spawn': {
      const variables = Object.entries(action.env ?? {}).map(([name, value]) => `${name}=${shellWord(value)}`);
      const command = [...variables, shellWords(action.command)].join(' ');
      return `setsid ${command} >>${shellWord(action.log)} 2>&1 &`;
    }
    case 'await':
      return `wait until ${shellWord(action.path)} is there`;
    case 'kill':
      return `end the processes of ${action.what}`;
    case 'remove':
      return `remove ${shellWord(action.path)}`;
  }
}
