/** Pulls the cables of the VMs that are on a network: their guests see the link go down, and live on. */
import { vmFiles } from '../plan/vm-files.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import { parseVmName } from '../names.ts';
import { isPciAddress } from '../pci-address.ts';
import { withMonitor } from '../supervise/monitor.ts';
import type { NetworkContext } from './context.ts';
import { listMembers } from './members.ts';

export async function unplug(files: NetworkFiles, { places, warn }: NetworkContext): Promise<void> {
  for (const { vm, nic, device } of listMembers(files)) {
    if (device !== undefined && isPciAddress(device)) {
      warn(`${vm}: ${nic} is the card ${device}: it stays the guest's until the VM ends`);
      continue;
    }
    const { qmp, monitorLock: lock } = vmFiles(places, parseVmName(vm));
    try {
      await withMonitor({ vm, qmp, lock }, (client) => client.execute('set_link', { name: nic, up: false }));
    } catch (error) {
      // its QEMU may be ending; the network goes away under it either way
      warn(`${vm}: ${nic} could not be unplugged: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
