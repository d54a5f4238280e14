/**
 * Who has a MAC: one file per address, made exclusively, so that two can never have the same one and a look-up costs the same whether there
 * are ten or ten thousand. `STATE/leases/macs/52-54-00-12-ab-cd` says which VM's NIC it is; a claim that cannot be read still claims.
 */
import { lstatSync, rmSync } from 'node:fs';
import path from 'node:path';
import { isVmName, type Mac, parseMac, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import { entriesOf } from '../system/entries.ts';
import { createExclusive, writeDurable } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';

export interface Claim {
  readonly vm: VmName;
  readonly nic: string;
  /** Kept here too, so that a VM's lease file can be made again from its claims. */
  readonly slot: number;
  /** The profile names this address; the file is where to look whether it still does. */
  readonly explicit?: { readonly profile: string };
}

export type ClaimRead =
  | { readonly state: 'free' }
  | { readonly state: 'claimed'; readonly claim: Claim }
  /** Garbage, or cut short: somebody's, but it does not say whose. */
  | { readonly state: 'broken' };

export const claimsDir = (places: Places): string => path.join(places.state, 'leases', 'macs');
export const claimFileName = (mac: Mac): string => mac.replaceAll(':', '-');
const claimFile = (places: Places, mac: Mac): string => path.join(claimsDir(places), claimFileName(mac));

/** @throws QrunError `newer-state`, `unsafe-state`, `permission` */
export function readClaim(places: Places, mac: Mac): ClaimRead {
  const read = readStateFile(claimFile(places, mac), { leave: true, maxBytes: 64 * 1024 });
  if (read.state === 'absent') return { state: 'free' };
  const claim = read.state === 'read' ? parseClaim(read.value) : undefined;
  return claim === undefined ? { state: 'broken' } : { state: 'claimed', claim };
}

/** False: somebody has it. Not synced: the lease file is, and a claim that a power cut took is made again from it. */
export function createClaim(places: Places, mac: Mac, claim: Claim): boolean {
  return createExclusive(claimFile(places, mac), renderClaim(claim), { durable: false });
}

/** Only under the guard, and only over a claim of the same VM or one that is proven dead. */
export function replaceClaim(places: Places, mac: Mac, claim: Claim): void {
  writeDurable(claimFile(places, mac), renderClaim(claim));
}

export function removeClaim(places: Places, mac: Mac): void {
  rmSync(claimFile(places, mac), { force: true });
}

/** Every claim of one VM: reads the whole registry, so only for repairs and for `rm`. */
export function scanClaims(places: Places, vm: string): { readonly mac: Mac; readonly claim: Claim }[] {
  const found: { mac: Mac; claim: Claim }[] = [];
  for (const name of entriesOf(claimsDir(places))) {
    const parsed = parseMac(name);
    if (!('mac' in parsed) || lstatSync(claimFile(places, parsed.mac), { throwIfNoEntry: false })?.isFile() !== true)
      continue;
    const read = readClaim(places, parsed.mac);
    if (read.state === 'claimed' && read.claim.vm === vm) found.push({ mac: parsed.mac, claim: read.claim });
  }
  return found;
}

const renderClaim = (claim: Claim): string => `${JSON.stringify({ v: 1, ...claim })}\n`;

function parseClaim(value: Readonly<Record<string, unknown>>): Claim | undefined {
  const { vm, nic, slot, explicit } = value;
  if (typeof vm !== 'string' || !isVmName(vm) || typeof nic !== 'string' || typeof slot !== 'number') return undefined;
  const profile =
    typeof explicit === 'object' && explicit !== null && 'profile' in explicit ? explicit.profile : undefined;
  return { vm, nic, slot, ...(typeof profile === 'string' && { explicit: { profile } }) };
}
