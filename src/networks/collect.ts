/** `gc` for networks: what is dead is given back. Dead is one that nobody is on and nobody pinned, one whose end was begun, and every one of an earlier boot. */
import { QrunError } from '../errors.ts';
import { readJournal } from '../journal/journal.ts';
import { whyLeft, type Leftover } from '../journal/walk.ts';
import type { NetworkName } from '../network/network.ts';
import { networkFiles, networksDirectory } from '../plan/network-files.ts';
import type { NetworkContext } from './context.ts';
import { listHostNetworkNames } from './host-networks.ts';
import { isUnused, tryNetworkLock } from './lock.ts';
import { readLostState } from './lost-state.ts';
import { requireKnownRegistry } from './newer-state.ts';
import { readNetworkRecord } from './record.ts';
import { listNetworkState } from './state-names.ts';
import { endWhole, isHalfGone, isHeld, removeIfEmpty, withPortsLocked } from './take-down.ts';

export interface CollectedNetwork {
  readonly network: string;
  /** The step's id, or what else it was. */
  readonly what: string;
  readonly state: 'removed' | 'would-remove' | 'left';
  readonly why?: string;
}

/** One network whose state cannot be read (a newer qrun's) keeps no other from being tidied. */
export async function collectNetworks(
  context: NetworkContext,
  only: string | undefined,
  dryRun: boolean,
): Promise<CollectedNetwork[]> {
  const found: CollectedNetwork[] = [];
  for (const name of namesOf(context)) {
    if (only !== undefined && only !== name) continue;
    try {
      found.push(...(await collectNetwork(name, context, dryRun)));
    } catch (error) {
      if (!(error instanceof QrunError)) throw error;
      found.push({ network: name, what: 'state', state: 'left', why: error.message });
    }
  }
  // whoever ended the last one was killed before he came to it
  if (only === undefined && !dryRun) removeIfEmpty(networksDirectory(context.places.runtime));
  return found;
}

/** Those of root's whose state was removed are in the host's registry alone. */
function namesOf({ places, system }: NetworkContext): NetworkName[] {
  const names = [...listNetworkState(places), ...(system.uid === 0 ? listHostNetworkNames(places) : [])];
  return [...new Set(names)].toSorted();
}

async function collectNetwork(
  name: NetworkName,
  context: NetworkContext,
  dryRun: boolean,
): Promise<CollectedNetwork[]> {
  const files = networkFiles(context.places, name);
  if (!isHeld(files) && readLostState(name, context) === undefined) return [];
  const found = await tryNetworkLock({ name, files }, context, async (): Promise<CollectedNetwork[]> => {
    if (!isHeld(files)) return await endOfLost(name, context, dryRun);
    const head = readJournal(files.journal)?.head;
    const record = readNetworkRecord(files);
    const isOfThisBoot = (record?.bootId ?? head?.bootId) === context.system.bootId();
    const isWhole = isOfThisBoot && !isHalfGone(files);
    if (isWhole && (record?.pinned === true || !isUnused(files))) return [];
    return await withPortsLocked(record, async (busy) =>
      isWhole && busy.length > 0 ? [] : await endDead(name, context, dryRun),
    );
  });
  return found ?? []; // somebody is at work on it: it is not dead
}

/** Under its lock. */
async function endDead(name: NetworkName, context: NetworkContext, dryRun: boolean): Promise<CollectedNetwork[]> {
  const files = networkFiles(context.places, name);
  requireKnownRegistry(name, context);
  const what = (readJournal(files.journal)?.entries ?? []).flatMap(({ step, released }) => (released ? [] : [step.id]));
  const things = what.length > 0 ? what : ['record'];
  if (dryRun) return things.map((one) => ({ network: name, what: one, state: 'would-remove' }));
  return told(name, things, await endWhole(files, context));
}

/** Under its lock. */
async function endOfLost(name: NetworkName, context: NetworkContext, dryRun: boolean): Promise<CollectedNetwork[]> {
  requireKnownRegistry(name, context);
  const lost = await (await import('./end-lost.ts')).endLost(name, { force: false, dryRun }, context);
  const things = (lost?.steps ?? []).map(({ id }) => id);
  if (dryRun) return things.map((one) => ({ network: name, what: one, state: 'would-remove' }));
  return told(name, things, lost?.left ?? []);
}

function told(network: string, things: readonly string[], leftovers: readonly Leftover[]): CollectedNetwork[] {
  const left = new Map(leftovers.map((one) => [one.step.id, whyLeft(one)]));
  return things.map((what) => {
    const why = left.get(what);
    return why === undefined ? { network, what, state: 'removed' } : { network, what, state: 'left', why };
  });
}
