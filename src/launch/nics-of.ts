/** The interfaces of a VM: as it runs, else as its profile would make them. */
import { readHostLink } from '../host/host-link.ts';
import { parseVmName } from '../names.ts';
import type { PlannedNic } from '../plan/launch-plan.ts';
import { withMonitor } from '../supervise/monitor.ts';
import { prepare, type LaunchContext } from './prepare.ts';
import { nicDeviceId } from '../qemu/argv/device-ids.ts';
import { rxFilterOf } from '../qmp/rx-filter.ts';
import { guestAddresses, parseUsernet } from '../qmp/usernet.ts';
import { findLostWays } from './lost-ways.ts';
import { describeNicsNow } from './nics-now.ts';
import { describeNic, readVm, type NicDocument } from './vms.ts';

export async function nicsOfVm(name: string, context: LaunchContext): Promise<NicDocument[]> {
  const vm = /\/|\.yaml$/.test(name) ? undefined : readVm(context, parseVmName(name));
  if (vm?.record === undefined) return await nicsToBe(name, context);
  const usernet = vm.record.nics.some(({ kind }) => kind === 'user')
    ? await readUsernet(vm.record.sockets.qmp, vm.vm, vm.files.monitorLock)
    : '';
  const rows = parseUsernet(usernet);
  const filters = await readFilters(vm.record.nics, vm.record.sockets.qmp, { vm: vm.vm, lock: vm.files.monitorLock });
  const nics = await describeNicsNow(vm.vm, vm.record.nics, {
    ...context,
    pid: vm.pid,
    ipsOf: (nic) => (nic.kind === 'user' ? guestAddresses(rows, nic.netdev, portsOf(nic)) : []),
  });
  const ways = await findLostWays(vm.record, vm.pid, context);
  return nics.map((nic) => {
    const way = ways.find(({ nic: id }) => id === nic.id);
    return {
      ...nic,
      ...filters.get(nic.id),
      ...(way !== undefined && { hostWay: { lost: way.card, mend: way.mend } }),
    };
  });
}

async function nicsToBe(name: string, context: LaunchContext): Promise<NicDocument[]> {
  const { plan } = await prepare(name, { shows: true }, context);
  return plan.nics.map((nic) => describeNic(nic, []));
}

type Wanted = Pick<NicDocument, 'guestMac' | 'promiscuous'>;

/** A macvtap takes in what is for its own MAC alone, and no guest notices that it is not what it asked for. */
async function readFilters(
  nics: readonly PlannedNic[],
  qmp: string,
  { vm, lock }: { readonly vm: string; readonly lock: string },
): Promise<Map<string, Wanted>> {
  const filtered = nics.filter(isFiltered);
  if (filtered.length === 0) return new Map();
  try {
    const answer = await withMonitor({ vm, qmp, lock }, (client) => client.execute('query-rx-filter'));
    return new Map(filtered.map((nic) => [nic.id, wantedOf(nic, answer)]));
  } catch {
    return new Map(); // a busy monitor only costs the warning
  }
}

/** Of a port of a network the interface itself says what it is. */
const isFiltered = ({ kind, hostInterface }: PlannedNic): boolean =>
  kind === 'macvtap' ||
  (kind === 'network' && hostInterface !== undefined && readHostLink(hostInterface)?.kind === 'macvtap');

function wantedOf({ id, mac }: PlannedNic, answer: unknown): Wanted {
  const filter = rxFilterOf(answer, nicDeviceId(id));
  if (filter === undefined) return {};
  return {
    ...(filter.mac !== mac && { guestMac: filter.mac }),
    ...(filter.promiscuous && { promiscuous: true }),
  };
}

async function readUsernet(qmp: string, vm: string, lock: string): Promise<string> {
  try {
    return await withMonitor({ vm, qmp, lock }, (client) => client.hmp('info usernet'));
  } catch {
    return ''; // a busy monitor only costs the addresses
  }
}

const portsOf = ({ forwards }: PlannedNic): number[] => (forwards ?? []).map(({ hostPort }) => Number(hostPort));
