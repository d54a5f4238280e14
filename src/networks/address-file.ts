/** The address book as it stands on the disk, for who only looks. */
import type { NetworkFiles } from '../plan/network-files.ts';
import { readStateFile } from '../system/state-files.ts';

/** Addresses that are kept for VMs, by holder: `web1`, or `web1/net2`. None where that cannot be read. */
export function readAddresses(files: NetworkFiles): Record<string, string> {
  const read = readStateFile(files.addresses, { leave: true });
  const addresses: unknown = read.state === 'read' ? read.value['addresses'] : undefined;
  if (typeof addresses !== 'object' || addresses === null) return {};
  return Object.fromEntries(
    Object.entries(addresses).flatMap(([holder, entry]: [string, unknown]) =>
      typeof entry === 'object' && entry !== null && 'ip' in entry && typeof entry.ip === 'string'
        ? [[holder, entry.ip]]
        : [],
    ),
  );
}
