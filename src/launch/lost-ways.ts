/** Ways of the host's to macvtaps of a VM that runs, where somebody has removed them: QEMU goes on, and no guest notices why the host is silent. */
import { hasWay, readHostAccess } from '../host/host-access.ts';
import { readHostLink, sysfsIsOwn } from '../host/host-link.ts';
import { parseVmName } from '../names.ts';
import { isOfThisNetwork } from '../system/processes.ts';
import type { RunRecord } from './run-record.ts';
import type { Where } from './vms.ts';

export interface LostWay {
  readonly nic: string;
  /** The card that it stood on. */
  readonly card: string;
  /** The one command that makes it again, or the words. */
  readonly mend: string;
}

/** @param pid QEMU's */
export async function findLostWays(
  { vm, nics, written = [] }: Pick<RunRecord, 'vm' | 'nics' | 'written'>,
  pid: number | undefined,
  where: Where,
): Promise<LostWay[]> {
  // another network knows nothing of it
  if (!sysfsIsOwn() || (pid !== undefined && !isOfThisNetwork(pid))) return [];
  const again = `qrun stop ${vm}; then start it again`;
  const own = written.flatMap((nic) =>
    nic.kind === 'macvtap' && nic.hostAccess !== false ? [{ nic: nic.id, card: nic.parent, mend: again }] : [],
  );
  const onPorts: LostWay[] = [];
  for (const { id, kind, network, hostInterface } of nics) {
    if (kind !== 'network' || network === undefined || hostInterface === undefined) continue;
    const { readHostNetwork } = await import('../networks/host-networks.ts');
    const host = readHostNetwork(parseVmName(network), where);
    if (host?.forward !== 'macvtap' || host.definition.hostAccess === false) continue;
    // without ports the way is that of the VMs
    onPorts.push({ nic: id, card: host.on, mend: host.ports.length > 0 ? `sudo qrun net up ${network}` : again });
  }
  // a card that went has taken the NIC itself with it
  return [...own, ...onPorts].filter(({ card }) => readHostLink(card) !== undefined && !hasWay(readHostAccess(card)));
}

export const lostWayInWords = ({ nic, card }: Pick<LostWay, 'nic' | 'card'>): string =>
  `${nic}: the host's way on ${card} is gone, and this host and the guest cannot reach one another`;
