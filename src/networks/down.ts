/** `qrun net down`: from a word on the command line to the stage. It needs none of what an up does. */
import path from 'node:path';
import { parseNetworkName } from '../names.ts';
import type { NetworkName } from '../network/network.ts';
import type { NetworkContext } from './context.ts';
import { takeDown } from './take-down.ts';

/** @throws QrunError `unknown-name`, `permission` where it is root's, `in-use` with VMs on it and without `force`, `left-behind` */
export async function downNetwork(
  argument: string,
  force: boolean,
  context: NetworkContext,
): Promise<{ readonly name: NetworkName; readonly wasUp: boolean }> {
  const name = nameOf(argument);
  const wasUp = await takeDown(name, force, context);
  if (!wasUp) {
    (await import('./names.ts')).requireKnownNetwork(name, context.places);
    const command = { verb: 'down', words: force ? ['--force'] : [] };
    const fault = (await import('./of-root.ts')).faultOfRoot(name, command, context);
    if (fault !== undefined) throw fault;
  }
  return { name, wasUp };
}

/** As `up` names it. */
const nameOf = (argument: string): NetworkName =>
  parseNetworkName(/\/|\.ya?ml$/.test(argument) ? path.basename(argument).replace(/\.ya?ml$/, '') : argument);
