/** An action of a step, in one line that a person can run or understand; or in several, where it has much to say. */
import type { Action, SpawnAction } from '../plan/step.ts';
import { shellWord, shellWords } from '../shell-word.ts';
import { visible } from './visible.ts';

export function renderAction(action: Action): string {
  return visible('argv' in action ? renderCommand(action) : renderOperation(action));
}

/** What a file holds stands below it, line by line, and so does the command of what is kept running. Each without its end. */
export function renderActionLines(action: Action): readonly string[] {
  const parts = 'argv' in action ? undefined : partsOf(action);
  if (parts === undefined) return [renderAction(action)];
  return [`${visible(parts.head)}:`, ...parts.body.map((line) => `    ${visible(line)}`)];
}

interface Parts {
  readonly head: string;
  readonly body: readonly string[];
}

function partsOf(action: Exclude<Action, { readonly argv: readonly string[] }>): Parts | undefined {
  if (action.op === 'spawn') return partsOfSpawn(action);
  if (action.op !== 'write') return undefined;
  const lines = action.content.replace(/\n$/, '').split('\n');
  return lines.length < 2 ? undefined : { head: `write ${shellWord(action.path)}`, body: lines };
}

function partsOfSpawn({ purpose, log }: SpawnAction): Parts | undefined {
  if (purpose === undefined) return undefined;
  const body = [`${shellWords(purpose.argv)} >>${shellWord(log)} 2>&1`];
  if ('watches' in purpose) return { head: `when nobody shares the lock ${shellWord(purpose.watches)} any more`, body };
  const { keeps, restart } = purpose;
  return { head: restart ? `keep ${keeps} running, started again whenever it ends` : `start ${keeps}, once`, body };
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
    case 'check-tap':
      return `check that nobody has the tap ${shellWord(action.name)}`;
    case 'check-node':
      return `check that ${shellWord(action.path)} is the device of ${shellWord(action.link)}, or make one that is`;
    case 'rotate':
      return `keep ${shellWord(action.path)} of the run before as ${shellWord(`${action.path}.1`)}`;
    case 'spawn': {
      const parts = partsOfSpawn(action);
      if (parts !== undefined) return `${parts.head}: ${parts.body.join(' ')}`;
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
