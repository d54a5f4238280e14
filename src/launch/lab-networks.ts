/** The networks that a lab lists: up before its VMs, down after them. */
import type { LabNetwork } from '../lab/lab.ts';
import type { NetworkName } from '../network/network.ts';
import { qemuOf } from '../qemu/binary.ts';
import { readCapabilities } from '../qemu/probe.ts';
import type { LabContext } from './lab-context.ts';

export interface Raised {
  readonly network: NetworkName;
  /** It was not kept up before: undoing lets it go again. */
  readonly started: boolean;
}

/** @param raised is added to as they come up, so that a failure knows what to undo @throws QrunError of the first that fails */
export async function raiseNetworks(
  networks: readonly LabNetwork[],
  raised: Raised[],
  context: LabContext,
): Promise<void> {
  if (networks.length === 0) return;
  const { prepareNetwork } = await import('../networks/prepare-network.ts');
  const { bringUp } = await import('../networks/bring-up.ts');
  const qemu = await readCapabilities(context.system, qemuOf(context));
  const prepared = [];
  for (const { definition } of networks) prepared.push(await prepareNetwork(definition, { qemu }, context));
  for (const network of prepared) {
    if (context.system.uid !== 0 && network.shown.attach.by === 'port') {
      context.tell(titleOf(network.name), 'done', "is root's, and is up");
      continue;
    }
    context.tell(titleOf(network.name), 'waiting', 'comes up');
    const started = network.running?.pinned !== true;
    try {
      await bringUp(network, context);
    } catch (error) {
      context.tell(titleOf(network.name), 'failed', 'could not come up');
      throw error;
    }
    raised.push({ network: network.name, started });
    context.tell(titleOf(network.name), 'done', started ? 'is up' : 'is up already');
  }
}

/** Nobody keeps them up for the lab any more: each ends with the last VM that is on it. */
export async function lowerNetwork(name: NetworkName, context: LabContext): Promise<'down' | 'in-use' | 'was-down'> {
  const { unpin } = await import('../networks/unpin.ts');
  return await unpin(name, context);
}

export const titleOf = (network: string): string => `network ${network}`;
