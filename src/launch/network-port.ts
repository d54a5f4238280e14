/** The way to a VM's port through a network that it is on: a forward of the network's, whose gateway knows whether the guest answered. */
import type { NetworkForward } from '../network/network-plan.ts';
import { isVmName } from '../names.ts';
import { servicesOf } from '../networks/health.ts';
import { listMembers } from '../networks/members.ts';
import { readNetworkRecord } from '../networks/record.ts';
import { networkFiles } from '../plan/network-files.ts';
import type { MonitorOf } from '../supervise/monitor.ts';
import type { RunningVm, Where } from './vms.ts';

export interface NetworkPort {
  readonly forward: NetworkForward;
  readonly monitor: MonitorOf;
}

/** Undefined: no network of its forwards a TCP port of the host to that port of the guest, or its gateway cannot be asked. */
export function findNetworkPort(
  { vm, record }: RunningVm,
  guestPort: number,
  { places }: Where,
): NetworkPort | undefined {
  for (const { id, network } of record.nics) {
    if (network === undefined || !isVmName(network)) continue;
    const files = networkFiles(places, network);
    const up = readNetworkRecord(files);
    const ip = listMembers(files).find((member) => member.vm === vm && member.nic === id)?.ip;
    const forward = up?.forwards.find(
      (one) => one.protocol === 'tcp' && one.guestPort === guestPort && one.guestAddress === ip,
    );
    const canBeAsked =
      up !== undefined && servicesOf(up.plan).some(({ awaits }) => awaits.includes(files.gatewayMonitor));
    // the lock of the network is that of its gateway's monitor too
    if (forward !== undefined && canBeAsked)
      return { forward, monitor: { vm: `network ${network}`, qmp: files.gatewayMonitor, lock: files.lock } };
  }
  return undefined;
}
