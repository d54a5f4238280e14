/** The interfaces of a VM: as it runs, else as its profile would make them. */
import { parseVmName } from '../names.ts';
import type { PlannedNic } from '../plan/launch-plan.ts';
import { withMonitor } from '../supervise/monitor.ts';
import { prepare, type LaunchContext } from './prepare.ts';
import { guestAddresses, parseUsernet } from '../qmp/usernet.ts';
import { describeNicsNow } from './nics-now.ts';
import { describeNic, readVm, type NicDocument } from './vms.ts';

export async function nicsOfVm(name: string, context: LaunchContext): Promise<NicDocument[]> {
  const vm = /\/|\.yaml$/.test(name) ? undefined : readVm(context, parseVmName(name));
  if (vm?.record === undefined) return (await prepare(name, {}, context)).plan.nics.map((nic) => describeNic(nic, []));
  const usernet = vm.record.nics.some(({ kind }) => kind === 'user')
    ? await readUsernet(vm.record.sockets.qmp, vm.vm, vm.files.monitorLock)
    : '';
  const rows = parseUsernet(usernet);
  return await describeNicsNow(vm.vm, vm.record.nics, {
    ...context,
    ipsOf: (nic) => (nic.kind === 'user' ? guestAddresses(rows, nic.netdev, portsOf(nic)) : []),
  });
}

async function readUsernet(qmp: string, vm: string, lock: string): Promise<string> {
  try {
    return await withMonitor({ vm, qmp, lock }, (client) => client.hmp('info usernet'));
  } catch {
    return ''; // a busy monitor only costs the addresses
  }
}

const portsOf = ({ forwards }: PlannedNic): number[] => (forwards ?? []).map(({ hostPort }) => Number(hostPort));
