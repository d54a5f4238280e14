/** What only root may do with a network: said before anything is done, with the command that does it. Read only. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { NetworkName } from '../network/network.ts';
import { shellWords } from '../shell-word.ts';
import type { NetworkContext } from './context.ts';
import { readHostNetwork } from './host-networks.ts';

type Look = Pick<NetworkContext, 'places' | 'system'>;

/** As it is typed after `qrun net`. */
export interface NetCommand {
  readonly verb: string;
  /** Behind the name. */
  readonly words?: readonly string[];
}

const sudo = (name: NetworkName, { verb, words = [] }: NetCommand): string =>
  `sudo qrun net ${shellWords([verb, name, ...words])}`;

/** Undefined: it is not one of root's that is up, or this is root. */
export function faultOfRoot(name: NetworkName, command: NetCommand, context: Look): QrunError | undefined {
  if (context.system.uid === 0 || readHostNetwork(name, context) === undefined) return undefined;
  return new QrunError('permission', `network ${name} is root's`, { hint: sudo(name, command) });
}

/** A definition is replaced and removed in its directory. One that is not there yet is made. @throws QrunError `permission` */
export function requireOwnDirectory(file: string, name: NetworkName, command: NetCommand): void {
  try {
    accessSync(path.dirname(file), constants.W_OK);
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return;
    throw new QrunError('permission', `${file}: it is not yours to change`, { hint: sudo(name, command) });
  }
}
