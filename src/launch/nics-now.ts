/** The NICs of a running VM with what the managed networks know of them. No monitor is asked. */
import { readHostLink, sysfsIsOwn } from '../host/host-link.ts';
import { addressesMet, mostTelling, readNeighbours } from '../host/neighbours.ts';
import type { VmName } from '../names.ts';
import type { PlannedNic } from '../plan/launch-plan.ts';
import { vmFiles } from '../plan/vm-files.ts';
import { parseJournal } from '../qmp/journal.ts';
import { readTail } from '../system/files.ts';
import { isOfThisNetwork } from '../system/processes.ts';
import { describeNic, type NicDocument, type Where } from './vms.ts';

type Now = Where & {
  /** QEMU's. */
  readonly pid?: number | undefined;
  /** What is known of NICs on no managed network. */
  readonly ipsOf?: (nic: PlannedNic) => readonly string[];
};

export async function describeNicsNow(vm: string, nics: readonly PlannedNic[], options: Now): Promise<NicDocument[]> {
  const plain = plainNics(vm, nics, options);
  if (nics.every(({ network }) => network === undefined)) return nics.map(plain);
  const { readNicOnNetwork } = await import('../networks/nic-state.ts');
  return nics.map((nic) => {
    const { network, id, mac, hostInterface } = nic;
    if (network === undefined) return plain(nic);
    const { ips, lost } = readNicOnNetwork({ network, vm, nic: id, mac, hostInterface }, options);
    return {
      ...describeNic(nic, mostTelling([...ips, ...metAt(nic, options)])),
      ...(lost && { link: 'lost' as const }),
    };
  });
}

/** Those on no managed network. A passt that has ended is not joined again, nor is an interface that was removed. */
function plainNics(
  vm: string,
  nics: readonly PlannedNic[],
  { places, pid, ipsOf, system }: Now,
): (nic: PlannedNic) => NicDocument {
  const cut = nics.some(({ kind }) => kind === 'passt') ? readCutStreams(vmFiles(places, vm as VmName).events) : [];
  return (nic) => ({
    ...describeNic(nic, mostTelling([...(ipsOf?.(nic) ?? []), ...metAt(nic, { system })])),
    ...(((nic.kind === 'passt' && cut.includes(nic.netdev)) || isCutOff(nic, pid)) && { link: 'lost' as const }),
  });
}

/** Its tap or macvtap was removed; QEMU is told nothing of that. One that has come since under that name has nobody at its other end. */
function isCutOff({ kind, hostInterface }: PlannedNic, pid: number | undefined): boolean {
  if (hostInterface === undefined || !['bridge', 'tap', 'macvtap'].includes(kind)) return false;
  // another network knows nothing of it
  if (pid !== undefined && !isOfThisNetwork(pid)) return false;
  const link = readHostLink(hostInterface);
  return link === undefined ? sysfsIsOwn() : link.tap?.attached === false;
}

/** Addresses at which the host has met a guest that is on a network which the host itself may be on. */
export const metAt = (nic: PlannedNic, { system }: Pick<Where, 'system'>, again = false): string[] =>
  canBeMet(nic) ? mostTelling(addressesMet(nic.mac, readNeighbours(system, again))) : [];

/** On a network of root's it has an interface of the host's; on one of the user's own it has none. */
export const canBeMet = ({ kind, hostInterface }: Pick<PlannedNic, 'kind' | 'hostInterface'>): boolean =>
  ['bridge', 'tap', 'macvtap'].includes(kind) || (kind === 'network' && hostInterface !== undefined);

/** Back ends whose other end has gone and did not come again, by QEMU's own events. */
function readCutStreams(events: string): string[] {
  const connected = new Map<string, boolean>();
  for (const message of parseJournal(readTail(events, 65_536))) {
    const netdev = message.kind === 'event' ? message.data['netdev-id'] : undefined;
    if (message.kind === 'event' && typeof netdev === 'string')
      connected.set(netdev, message.event !== 'NETDEV_STREAM_DISCONNECTED');
  }
  return [...connected].filter(([, isConnected]) => !isConnected).map(([netdev]) => netdev);
}
