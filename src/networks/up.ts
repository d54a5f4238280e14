/** `qrun net up` and `show`: from a word on the command line to the stage. */
import type { NetworkPlan } from '../network/network-plan.ts';
import type { Network } from '../network/network.ts';
import { QrunError } from '../errors.ts';
import { isBridged } from '../network/bridged/mode.ts';
import { qemuOf } from '../qemu/binary.ts';
import { readCapabilities } from '../qemu/probe.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { checkStateFilesystem } from '../system/state-filesystem.ts';
import { bringUp } from './bring-up.ts';
import type { NetworkContext } from './context.ts';
import { prepareNetwork, readDefinition, type PreparedNetwork, type PrepareOptions } from './prepare-network.ts';
import { requireUplinks } from './join-health.ts';
import type { Spot } from './one-line.ts';
import type { NetworkRecord } from './record.ts';
import { faultOfWayOut } from './way-out.ts';

/** @param argument a name, or the path of a definition */
async function prepared(
  argument: string,
  context: NetworkContext,
  options: Pick<PrepareOptions, 'aloneYet'> = {},
): Promise<PreparedNetwork> {
  const { places, system } = context;
  ensurePrivateDirectory(places.state, { uid: system.uid });
  checkStateFilesystem(places.state);
  return await prepareNetwork(argument, { ...options, qemu: () => readCapabilities(system, qemuOf(context)) }, context);
}

/** What an up would do, or, while it is up, what it did. Changes nothing. */
export const planOfNetwork = async (argument: string, context: NetworkContext): Promise<NetworkPlan> =>
  (await prepared(argument, context)).shown;

/** Up, or mended, and kept up. @param spot where it is made on the spot */
export async function upNetwork(
  argument: string,
  context: NetworkContext,
  spot?: Pick<Spot, 'putBack'>,
): Promise<NetworkRecord> {
  const network = await prepared(argument, context, { aloneYet: true });
  const { record, definition } = await withRenewed(network, await bringUp(network, context), context);
  const fault = faultOfWayOut(record.definition);
  if (fault !== undefined) context.warn(fault);
  requireUplinks(record.network, record.plan);
  if (meaningOf(definition) !== meaningOf(record.definition)) {
    spot?.putBack();
    const down = `qrun net down ${record.network}`;
    const other =
      spot === undefined
        ? `what ${definition.file} says counts after: ${down}`
        : `for another: ${down}, and the same again`;
    context.warn(`network ${record.network} is up as it was; ${other}`);
  }
  return record;
}

/** Of what was changed in the definition of a network of root's that was up already, fixed addresses and forwards count at once. */
async function withRenewed(
  { running, definition }: PreparedNetwork,
  record: NetworkRecord,
  context: NetworkContext,
): Promise<{ readonly record: NetworkRecord; readonly definition: Network }> {
  // a name means what runs: what was written since is read here
  const written = running === undefined ? definition : await readAgain(record, context);
  const wasUp = running?.runId === record.runId || definition !== record.definition;
  if (!wasUp || context.system.uid !== 0 || !isBridged(record.definition.forward)) return { record, definition };
  const { renewHosts } = await import('./renew-hosts.ts');
  const { hasNewForwards, renewForwards } = await import('./renew-forwards.ts');
  const now = written ?? definition;
  const withHosts = await renewHosts(record, now, context);
  return {
    record: hasNewForwards(withHosts, now) ? await renewForwards(withHosts, now, context) : withHosts,
    definition: now,
  };
}

/** One that has faults by now changes nothing, and they are told; nor does one that is gone. */
async function readAgain({ network, file }: NetworkRecord, context: NetworkContext): Promise<Network | undefined> {
  try {
    return await readDefinition(file, context);
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    if (error.code !== 'unknown-name')
      context.warn(`network ${network} is up as it was; what ${file} says has faults: ${faultsIn(file, error)}`);
    return undefined;
  }
}

/** The first one, and where all are shown. */
function faultsIn(file: string, { message, faults }: QrunError): string {
  const [first] = faults;
  if (first === undefined) return message;
  const place = `${first.file}:${first.line}:${first.column}${first.path === '' ? '' : ` ${first.path}`}`;
  return `${place}: ${first.message} (${faults.length} fault${faults.length === 1 ? '' : 's'}: qrun net show ${file})`;
}

/** Wherever it lies. */
const meaningOf = ({ file: _file, ...rest }: Network): string => JSON.stringify(rest);
