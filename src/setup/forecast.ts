/** Whether what setup is going to do can be done here at all: told before the first of it is done. */
import { accessSync, constants, lstatSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { shellWord } from '../shell-word.ts';
import { textOf } from '../system/glance.ts';
import type { SetupAction } from './item.ts';

export interface Powers {
  /** Capabilities that root has here: numbers as in <linux/capability.h>. */
  readonly has: (capability: number) => boolean;
  readonly isReadOnly: (directory: string) => boolean;
}

const netAdmin = 12;
const setFileCapabilities = 31;

/** Undefined: nothing is known to stand in the way. */
export function faultOfActions(actions: readonly SetupAction[], powers: Powers): QrunError | undefined {
  const runs = (tool: string): boolean =>
    actions.some((action) => action.do === 'run' && action.argv[0] === tool && action.mayFail !== true);
  if (runs('ip') && !powers.has(netAdmin))
    return lacking('CAP_NET_ADMIN', 'interfaces, addresses and routes are made with it', '--cap-add NET_ADMIN');
  if (runs('setcap') && !powers.has(setFileCapabilities))
    return lacking('CAP_SETFCAP', 'the bridge helper is given its right with it', '--cap-add SETFCAP');
  const file = actions.flatMap(writtenBy).find((one) => powers.isReadOnly(path.dirname(one)));
  if (file === undefined) return undefined;
  const directory = path.dirname(file);
  return new QrunError('host-failed', `${directory} is on a read-only file system, and setup changes ${file}`, {
    hint: `findmnt --target ${shellWord(directory)}`,
    causes: ['what it would do: the same with --dry-run'],
  });
}

const lacking = (name: string, why: string, flag: string): QrunError =>
  new QrunError('permission', `root has no ${name} here, as in a container without it: ${why}`, {
    hint: `the same on the host itself, or in a container that was started with ${flag}`,
    causes: ['nothing was changed; what it would do: the same with --dry-run'],
  });

const accountTools: Readonly<Record<string, string>> = {
  useradd: '/etc/passwd',
  groupadd: '/etc/group',
  usermod: '/etc/group',
};

function writtenBy(action: SetupAction): string[] {
  if (action.do !== 'run') return [action.path];
  const file = accountTools[action.argv[0] ?? ''];
  return file === undefined ? [] : [file];
}

export const readPowers = (): Powers => {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(textOf('/proc/self/status'))?.[1];
  return {
    has: (capability) => effective === undefined || ((BigInt(`0x${effective}`) >> BigInt(capability)) & 1n) === 1n,
    isReadOnly: (directory) => isReadOnly(nearest(directory)),
  };
};

const nearest = (directory: string): string =>
  lstatSync(directory, { throwIfNoEntry: false }) === undefined ? nearest(path.dirname(directory)) : directory;

function isReadOnly(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return false;
  } catch (error) {
    return errnoOf(error) === 'EROFS';
  }
}
