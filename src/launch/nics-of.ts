/** The interfaces of a VM: as it runs, else as its profile would make them. */
import { parseVmName } from '../names.ts';
import { withMonitor } from '../supervise/monitor.ts';
import { prepare, type LaunchContext } from './prepare.ts';
import { describeNic, readVm, type NicDocument } from './vms.ts';

export async function nicsOfVm(name: string, context: LaunchContext): Promise<NicDocument[]> {
  const vm = /\/|\.yaml$/.test(name) ? undefined : readVm(context, parseVmName(name));
  if (vm?.record === undefined) return (await prepare(name, {}, context)).plan.nics.map((nic) => describeNic(nic, []));
  const usernet = vm.record.nics.some(({ kind }) => kind === 'user')
    ? await readUsernet(vm.record.sockets.qmp, vm.vm, vm.files.monitorLock)
    : '';
  return vm.record.nics.map((nic) => describeNic(nic, nic.kind === 'user' ? guestAddresses(usernet, nic.netdev) : []));
}

async function readUsernet(qmp: string, vm: string, lock: string): Promise<string> {
  try {
    return await withMonitor({ vm, qmp, lock }, (client) => client.hmp('info usernet'));
  } catch {
    return ''; // a busy monitor only costs the addresses
  }
}

/**
 * slirp keeps no list of leases that it would show; its connections tell which address the guest really uses.
 * Rows of `info usernet`: `TCP[ESTABLISHED] 12 10.0.2.15 41234 192.0.2.1 80 0 0`, under a heading for each back end.
 */
export function guestAddresses(text: string, netdev: string): string[] {
  const found = new Set<string>();
  let ours = false;
  for (const line of text.split(/\r?\n/)) {
    const heading = /^Hub .*|^VLAN .*\(([^)]*)\)/.exec(line) ?? /\(([^)]+)\):\s*$/.exec(line);
    if (heading !== null) ours = heading[1] === netdev;
    const row = /^\s+(TCP|UDP|ICMP)\[([^\]]*)\]\s+\S+\s+(\S+)\s+\S+\s+(\S+)/.exec(line);
    if (!ours || row === null || row[2] === 'HOST_FORWARD') continue;
    for (const address of [row[3], row[4]])
      if (address !== undefined && /^10\.|^172\.|^192\.168\./.test(address)) found.add(address);
  }
  return [...found];
}
