/** What networks keep for a VM that is forgotten: its addresses there, and ports of root's networks that it had last. */
import { closeSync, ftruncateSync } from 'node:fs';
import { digestOf } from '../digest.ts';
import { QrunError } from '../errors.ts';
import type { VmName } from '../names.ts';
import { networkFiles } from '../plan/network-files.ts';
import { readPortUse, tryPort } from '../resources/port-lease.ts';
import { forgetAddresses, hasAddress } from './address-book.ts';
import type { NetworkContext } from './context.ts';
import { listHostNetworkNames, readHostNetwork } from './host-networks.ts';
import { withNetworkLock } from './lock.ts';
import { listMembers } from './members.ts';
import { readNetworkRecord } from './record.ts';
import { listNetworkState } from './state-names.ts';

type Look = Pick<NetworkContext, 'places' | 'system'>;

/** Of one that does not run, as whoever asks has seen. @throws QrunError `in-use`, `newer-state` */
export async function forgetOnNetworks(vm: VmName, look: Look): Promise<void> {
  for (const name of listNetworkState(look.places)) {
    const files = networkFiles(look.places, name);
    if (!hasAddress(files, vm)) continue;
    await withNetworkLock({ name, files }, look, async () => {
      // its address is nobody else's while a forward leads there, as one does until the network ends, or it is on the network, having been started just now
      const isNamed = readNetworkRecord(files)?.forwards.some(({ guest }) => guest === vm) === true;
      const isOn = listMembers(files).some((member) => member.vm === vm);
      if (!isNamed && !isOn) forgetAddresses(files, vm);
    });
  }
  for (const lock of portsOf(vm, look)) giveOn(lock);
}

/** Lock files of ports that it had last. */
function portsOf(vm: VmName, look: Look): string[] {
  const { places, system } = look;
  const state = digestOf(places.state);
  const ports = listHostNetworkNames(places).flatMap((name) => readHostNetwork(name, look)?.ports ?? []);
  return ports.flatMap(({ lock }) => {
    const use = readPortUse(lock);
    return use?.uid === system.uid && use.state === state && use.vm === vm ? [lock] : [];
  });
}

/** One that is another user's by now is none of ours. */
function giveOn(lock: string): void {
  try {
    const fd = tryPort(lock);
    if (fd === undefined) return;
    try {
      ftruncateSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!(error instanceof QrunError) || error.code !== 'permission') throw error;
  }
}
