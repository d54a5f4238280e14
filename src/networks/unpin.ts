/** A network need not stay any longer: it ends now, or with the last VM that is on it. */
import type { NetworkName } from '../network/network.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { NetworkContext } from './context.ts';
import { withNetworkLock } from './lock.ts';
import { setPinned } from './pin.ts';
import { readNetworkRecord } from './record.ts';
import { endUnusedLocked, isHeld } from './take-down.ts';

/** @returns `in-use` when VMs are on it still @throws QrunError `left-behind` */
export async function unpin(name: NetworkName, context: NetworkContext): Promise<'down' | 'in-use' | 'was-down'> {
  const files = networkFiles(context.places, name);
  if (!isHeld(files)) return 'was-down';
  return await withNetworkLock({ name, files }, context, async () => {
    const record = readNetworkRecord(files);
    if (record !== undefined) await setPinned(record, false, context);
    await endUnusedLocked(name, context);
    return isHeld(files) ? 'in-use' : 'down';
  });
}
