/**
 * The addresses that an allocation is about to claim, written down before it does. A kill between the claim and the VM's lease file would
 * else leave a claim that nobody knows of; so the next one in the guarded section, whoever it is, gives it back.
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { isVmName, type Mac, parseMac, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import { writeQuick } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';
import { freeOnHost } from './host-claim.ts';
import { readLeaseFile } from './lease-file.ts';
import { readClaim, removeClaim } from './mac-claim.ts';

const pendingFile = (places: Places): string => path.join(places.state, 'leases', 'pending.json');

export function writePending(places: Places, vm: VmName, macs: readonly Mac[]): void {
  writeQuick(pendingFile(places), `${JSON.stringify({ v: 1, vm, macs })}\n`);
}

export function removePending(places: Places): void {
  rmSync(pendingFile(places), { force: true });
}

/** Under the guard, before anything else: gives back what a killed allocation claimed and did not get to write into its lease file. */
export function recoverPending(places: Places): void {
  const read = readStateFile(pendingFile(places), { leave: true });
  if (read.state === 'absent') return;
  const { vm, macs } = read.state === 'read' ? read.value : {};
  if (typeof vm === 'string' && isVmName(vm) && Array.isArray(macs)) {
    for (const text of macs) {
      const parsed = typeof text === 'string' ? parseMac(text) : undefined;
      if (parsed !== undefined && 'mac' in parsed) giveBack(places, vm, parsed.mac);
    }
  }
  removePending(places);
}

function giveBack(places: Places, vm: VmName, mac: Mac): void {
  const read = readClaim(places, mac);
  if (read.state === 'claimed' && read.claim.vm !== vm) return;
  const leases = readLeaseFile(places, vm);
  if (leases.state === 'broken') return; // its claims are what it is made again from
  const known =
    leases.state === 'read' && [...leases.nics.values()].some((nic) => nic.mac === mac || nic.explicit === mac);
  if (known) return;
  removeClaim(places, mac);
  freeOnHost(places, mac, vm);
}
