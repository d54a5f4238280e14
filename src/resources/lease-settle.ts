/** The read-modify-write of one VM's leases, as the only one who does that: run by mac-lease under the guard. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { MacScan } from '../host/taken-macs.ts';
import { failpoint } from '../journal/failpoint.ts';
import { isVmName, type Mac, type VmName } from '../names.ts';
import type { Places } from '../places.ts';
import type { Nic } from '../profile/profile.ts';
import { setAside } from '../system/state-files.ts';
import { claimedBy, claimedOnHost, type ExplicitNic, explicitNicsOf } from './explicit-mac.ts';
import { claimOnHost, freeOnHost, networkOfClaim } from './host-claim.ts';
import { leaseFile, type NicLease, type NicLeases, readLeaseFile, writeLeaseFile } from './lease-file.ts';
import type { Section } from './lease-guard.ts';
import { recoverPending, removePending, writePending } from './lease-pending.ts';
import { type Claim, createClaim, readClaim, removeClaim, replaceClaim, scanClaims } from './mac-claim.ts';
import { candidates, type MacPool } from './mac-pool.ts';
import { planSlots } from './pci-slot.ts';

export interface SettleOptions {
  readonly places: Places;
  readonly vm: VmName;
  readonly nics: readonly Nic[];
  readonly profileFile: string;
  readonly pool: MacPool;
  readonly taken: ReadonlySet<string>;
  readonly scan: Pick<MacScan, 'stillNames'>;
  readonly section: Section;
}

export interface Settled {
  readonly nics: NicLeases;
  /** What a person should know. */
  readonly reports: readonly string[];
}

interface Work extends SettleOptions {
  readonly leases: Map<string, NicLease>;
  readonly reports: string[];
  /** Claimed in this section, and not yet in a lease file. */
  readonly pending: Mac[];
}

/** @throws QrunError `in-use` for an explicit address of another's, `host-failed` when no address or no space is left */
export function settle(options: SettleOptions): Settled {
  const { places, vm, nics, section } = options;
  failpoint('lease:guarded');
  recoverPending(places);
  const reports: string[] = [];
  const work: Work = { ...options, leases: new Map(readOrRebuild(places, vm, reports)), reports, pending: [] };
  const before = JSON.stringify([...work.leases]);
  const held = new Map([...work.leases].map(([id, { slot }]) => [id, slot]));
  for (const [id, slot] of planSlots(
    nics.map((nic) => nic.id),
    held,
  ))
    work.leases.set(id, { ...work.leases.get(id), slot });
  dropUnnamed(work);
  for (const nic of explicitNicsOf(nics, options.profileFile)) settleExplicit(work, nic);
  for (const { id, mac } of nics) if (mac === undefined) settleAllocated(work, id);
  section.check();
  if (JSON.stringify([...work.leases]) !== before || !existsSync(leaseFile(places, vm)))
    writeLeaseFile(places, vm, work.leases);
  failpoint('lease:written');
  if (work.pending.length > 0) removePending(places);
  return { nics: work.leases, reports };
}

/** A lease file that cannot be read is set aside and made again from the claims, which say whose they are: no address changes. */
function readOrRebuild(places: Places, vm: VmName, reports: string[]): NicLeases {
  const read = readLeaseFile(places, vm);
  if (read.state === 'absent') return new Map();
  if (read.state === 'read') return read.nics;
  const file = leaseFile(places, vm);
  const aside = setAside(file);
  const leases = new Map<string, NicLease>();
  for (const { mac, claim } of scanClaims(places, vm)) {
    const known = leases.get(claim.nic);
    const { slot } = claim;
    if (claim.explicit !== undefined) leases.set(claim.nic, { slot, ...known, explicit: mac });
    else if (known?.mac === undefined) leases.set(claim.nic, { ...known, slot, mac });
  }
  reports.push(
    `${file} was damaged (${read.reason}): set aside as ${path.basename(aside)}, made again from the claims (NICs: ${leases.size})`,
  );
  return leases;
}

/** Explicit addresses that the profile no longer names are given back. */
function dropUnnamed({ places, vm, nics, leases }: Work): void {
  for (const [id, { explicit, ...rest }] of leases) {
    if (explicit === undefined || nics.some((nic) => nic.id === id && nic.mac === explicit)) continue;
    leases.set(id, rest);
    if (rest.mac !== explicit) freeClaim(places, explicit, vm);
  }
}

function freeClaim(places: Places, mac: Mac, vm: VmName): void {
  const read = readClaim(places, mac);
  if (read.state === 'claimed' && read.claim.vm === vm) removeClaim(places, mac);
  freeOnHost(places, mac, vm);
}

function settleExplicit(work: Work, nic: ExplicitNic): void {
  const { places, vm, leases, profileFile } = work;
  const lease = leaseOf(work, nic.id);
  const claim: Claim = { vm, nic: nic.id, slot: lease.slot, explicit: { profile: profileFile } };
  const read = readClaim(places, nic.mac);
  if (lease.mac === nic.mac) keepClaim(work, nic.mac, { vm, nic: nic.id, slot: lease.slot });
  else if (read.state === 'free') makeClaim(work, nic.mac, claim);
  else {
    if (read.state === 'claimed') refuseClaimed(work, nic, read.claim);
    else refuseUnreadable(work, nic);
    replaceClaim(places, nic.mac, claim);
  }
  if (!claimOnHost(places, nic.mac, { vm, nic: nic.id })) throw claimedOnHost(nic, holderOnHost(places, nic.mac));
  leases.set(nic.id, { ...leaseOf(work, nic.id), explicit: nic.mac });
}

function holderOnHost(places: Places, mac: Mac): string {
  const network = networkOfClaim(places, mac);
  return network === undefined ? 'another user, or another state directory of yours' : `a port of network ${network}`;
}

/** A claim of another's stands, unless it only says what a profile named that does so no more. One of this VM's own moves with the address. */
function refuseClaimed({ vm, nics, leases, scan }: Work, nic: ExplicitNic, claim: Claim): void {
  if (claim.vm === vm) {
    const holder = leases.get(claim.nic);
    if (claim.nic === nic.id || holder?.mac !== nic.mac) return;
    if (nics.some(({ id }) => id === claim.nic)) throw claimedBy(nic, claim);
    const { mac: _moved, ...rest } = holder;
    leases.set(claim.nic, rest);
    return;
  }
  if (claim.explicit === undefined || scan.stillNames(claim.explicit.profile, nic.mac)) throw claimedBy(nic, claim);
}

/** Whose a damaged claim is stands in the lease files; in nobody's: then it is a leftover. Reads them all, and that is rare enough. */
function refuseUnreadable({ places, vm }: Work, nic: ExplicitNic): void {
  const owner = findOwner(places, nic.mac);
  if (owner !== undefined && owner.vm !== vm) throw claimedBy(nic, owner);
}

function findOwner(places: Places, mac: Mac): { readonly vm: VmName; readonly nic: string } | undefined {
  for (const vm of readdirSync(path.join(places.state, 'vms'))) {
    if (!isVmName(vm)) continue;
    const read = readLeaseFile(places, vm);
    const found =
      read.state === 'read' ? [...read.nics].find(([, nic]) => nic.mac === mac || nic.explicit === mac) : undefined;
    if (found !== undefined) return { vm, nic: found[0] };
  }
  return undefined;
}

function settleAllocated(work: Work, id: string): void {
  const { places, vm, leases, reports } = work;
  const lease = leaseOf(work, id);
  if (lease.mac !== undefined) {
    const other = keepClaim(work, lease.mac, { vm, nic: id, slot: lease.slot });
    if (other === undefined && claimOnHost(places, lease.mac, { vm, nic: id })) return;
    reports.push(
      `${lease.mac} of NIC ${id} now belongs to ${other === undefined ? 'another user' : `VM ${other.vm}`}: it gets a new address`,
    );
    if (other === undefined) removeClaim(places, lease.mac);
  }
  leases.set(id, { ...lease, mac: allocate(work, id) });
}

/** Makes the claim say what the lease says; gives the claim of another VM that has the address, if there is one. */
function keepClaim(work: Work, mac: Mac, claim: Claim): Claim | undefined {
  const { places, vm } = work;
  const read = readClaim(places, mac);
  if (read.state === 'free') {
    createClaim(places, mac, claim);
    return undefined;
  }
  if (read.state === 'claimed' && read.claim.vm !== vm) return read.claim;
  const same =
    read.state === 'claimed' &&
    read.claim.nic === claim.nic &&
    read.claim.slot === claim.slot &&
    read.claim.explicit === undefined;
  if (!same) replaceClaim(places, mac, claim);
  if (read.state === 'broken')
    work.reports.push(`the claim of ${mac} was damaged, and is mended: it is NIC ${claim.nic}'s`);
  return undefined;
}

/** @throws QrunError `host-failed` when the pool is used up */
function allocate(work: Work, id: string): Mac {
  const { places, vm, nics, pool, taken, section } = work;
  const named = new Set(nics.map((nic) => nic.mac));
  const { slot } = leaseOf(work, id);
  for (const mac of candidates(pool)) {
    if (taken.has(mac) || named.has(mac) || readClaim(places, mac).state !== 'free') continue;
    section.check();
    if (!makeClaim(work, mac, { vm, nic: id, slot })) continue;
    if (claimOnHost(places, mac, { vm, nic: id })) return mac;
    removeClaim(places, mac);
  }
  throw new QrunError('host-failed', `no MAC address is left for NIC ${id} of ${vm}`, {
    hint: 'qrun rm what is not wanted any more, or write a mac into the profile',
  });
}

function makeClaim(work: Work, mac: Mac, claim: Claim): boolean {
  work.pending.push(mac);
  writePending(work.places, work.vm, work.pending);
  const made = createClaim(work.places, mac, claim);
  failpoint('lease:claimed');
  return made;
}

function leaseOf({ leases }: Work, id: string): NicLease {
  const lease = leases.get(id);
  if (lease === undefined) throw new Error(`no slot was planned for ${id}`);
  return lease;
}
