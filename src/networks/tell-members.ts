/** Who hands out addresses, and the rules, learn who is on a network of the host's: before a guest asks or sends. */
import { networkFiles } from '../plan/network-files.ts';
import type { NetworkName } from '../network/network.ts';
import { openAddressBook } from './address-book.ts';
import type { NetworkContext } from './context.ts';
import { tellFixedHosts } from './fixed-hosts.ts';
import { withNetworkLock } from './lock.ts';
import { poolOf } from './prepare-network.ts';
import { readNetworkRecord, type NetworkRecord } from './record.ts';
import { replaceRules } from './replace-rules.ts';

/** Under the network's lock. */
export async function tellMembers(record: NetworkRecord, context: NetworkContext): Promise<void> {
  if (!listensToMembers(record.plan)) return;
  tellHosts(record, context);
  await replaceRules(record, record, context);
}

/** Under the network's lock: who hands out addresses alone. */
export function tellHosts(record: NetworkRecord, context: NetworkContext): void {
  const files = networkFiles(context.places, record.network);
  const pool = poolOf(record.definition);
  const addresses = openAddressBook({ files, pool, uid: context.system.uid }).entries();
  tellFixedHosts(files, record, { addresses, context });
}

/** On `forward: bridge` there is no DHCP, and there are no rules. */
export const listensToMembers = ({ attach, forward }: Pick<NetworkRecord['plan'], 'attach' | 'forward'>): boolean =>
  attach.by === 'bridge' && forward !== 'bridge';

/** For whoever wrote down a VM by himself: a script of `show --shell`. One that is not up has nobody to tell. */
export async function tellAfterJoin(name: NetworkName, context: NetworkContext): Promise<void> {
  const files = networkFiles(context.places, name);
  await withNetworkLock({ name, files }, context, async () => {
    const record = readNetworkRecord(files);
    if (record?.bootId === context.system.bootId()) await tellMembers(record, context);
  });
}
