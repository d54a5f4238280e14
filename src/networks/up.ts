/** `qrun net up`, `down` and `show`: from a word on the command line to the stage. */
import type { NetworkPlan } from '../network/network-plan.ts';
import type { NetworkName } from '../network/network.ts';
import { parseNetworkName } from '../names.ts';
import { qemuOf } from '../qemu/binary.ts';
import { readCapabilities } from '../qemu/probe.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { checkStateFilesystem } from '../system/state-filesystem.ts';
import { bringUp } from './bring-up.ts';
import type { NetworkContext } from './context.ts';
import { requireKnownNetwork } from './names.ts';
import { prepareNetwork, type PreparedNetwork } from './prepare-network.ts';
import type { NetworkRecord } from './record.ts';
import { takeDown } from './take-down.ts';

/** @param argument a name, or the path of a definition */
async function prepared(argument: string, context: NetworkContext): Promise<PreparedNetwork> {
  const { places, system } = context;
  ensurePrivateDirectory(places.state, { uid: system.uid });
  checkStateFilesystem(places.state);
  return await prepareNetwork(argument, { qemu: await readCapabilities(system, qemuOf(context)) }, context);
}

/** What an up would do, or, while it is up, what it did. Changes nothing. */
export const planOfNetwork = async (argument: string, context: NetworkContext): Promise<NetworkPlan> =>
  (await prepared(argument, context)).shown;

/** Up, or mended, and kept up. */
export const upNetwork = async (argument: string, context: NetworkContext): Promise<NetworkRecord> =>
  await bringUp(await prepared(argument, context), context);

/** @throws QrunError `unknown-name`, `in-use` with VMs on it and without `force`, `left-behind` */
export async function downNetwork(
  argument: string,
  force: boolean,
  context: NetworkContext,
): Promise<{ readonly name: NetworkName; readonly wasUp: boolean }> {
  const name = parseNetworkName(argument);
  const wasUp = await takeDown(name, force, context);
  if (!wasUp) requireKnownNetwork(name, context.places);
  return { name, wasUp };
}
