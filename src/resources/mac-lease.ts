/**
 * The MAC and the PCI slot of each NIC: given once, then kept for the NIC's id until `qrun rm`, over runs and reboots.
 *
 * A start finds its leases by reading the VM's own file and one claim for each NIC: no lock, no process. Only what is new or not as it should
 * be goes through the guarded section (lease-settle), and what it costs there does not depend on how many leases there are: the claim of an
 * address is a file of that name, made exclusively.
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { createMacScan, type MacScan } from '../host/taken-macs.ts';
import type { Mac, VmName } from '../names.ts';
import { vmFiles } from '../plan/vm-files.ts';
import { type Places, vmDir } from '../places.ts';
import type { Nic } from '../profile/profile.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { namesIn } from '../system/glance.ts';
import { findHolders } from '../system/processes.ts';
import type { RunningQemu } from '../system/qemus.ts';
import type { System } from '../system/system.ts';
import { type ExplicitNic, explicitNicsOf, refuseOtherProfile, refuseRunning, refuseTwice } from './explicit-mac.ts';
import { freeOnHost, hasHostRegistry, readHostClaim } from './host-claim.ts';
import { lastPortsFile, readLastPorts } from './last-ports.ts';
import { leaseFile, type NicLease, type NicLeases, readLeaseFile } from './lease-file.ts';
import { withLeaseGuard } from './lease-guard.ts';
import { settle, type Settled } from './lease-settle.ts';
import { readClaim, removeClaim, scanClaims } from './mac-claim.ts';
import { defaultPool, type MacPool } from './mac-pool.ts';

export interface ReserveOptions {
  readonly system: System;
  readonly places: Places;
  readonly vm: VmName;
  readonly nics: readonly Nic[];
  /** Absolute. */
  readonly profileFile: string;
  /** For tests. */
  readonly pool?: MacPool;
  readonly scan?: MacScan;
}

export interface Reserved {
  readonly macs: Readonly<Record<string, Mac>>;
  readonly slots: Readonly<Record<string, number>>;
  /** By `NIC:INDEX`. */
  readonly lastPorts: Readonly<Record<string, number>>;
  /** What a person should know: a lease file that was damaged, an address that had to change. */
  readonly reports: readonly string[];
}

/** @throws QrunError `in-use` for an explicit MAC of another's, `invalid-profile` for one on two NICs, `host-failed` when none is left */
export async function reserveNics(options: ReserveOptions): Promise<Reserved> {
  const { system, places, vm, nics, profileFile } = options;
  const scan = options.scan ?? createMacScan({ system, places, vm, profileFile });
  const explicit = explicitNicsOf(nics, profileFile);
  refuseTwice(explicit);
  if (explicit.length > 0) refuseOthers(options, explicit, scan);
  const read = readLeaseFile(places, vm);
  const known: NicLeases = read.state === 'read' ? read.nics : new Map();
  const isDone = read.state !== 'broken' && isSettled(options, known);
  const settled = isDone ? { nics: known, reports: [] } : await settleGuarded(options, scan);
  return {
    macs: Object.fromEntries(nics.map(({ id, mac }) => [id, mac ?? macOf(settled.nics, id)])),
    slots: Object.fromEntries(nics.map(({ id }) => [id, settled.nics.get(id)?.slot ?? 0])),
    lastPorts: nics.some(hasAutoPort) ? readLastPorts(vmDir(places, vm)) : {},
    reports: settled.reports,
  };
}

function refuseOthers({ places, vm }: ReserveOptions, explicit: readonly ExplicitNic[], scan: MacScan): void {
  const profiles = scan.profiles();
  const running = scan.running();
  const { lock } = vmFiles(places, vm);
  // this VM's own QEMU holds its lock; that it runs is the start's business
  const isOwn = (qemu: RunningQemu): boolean => findHolders(lock, [qemu.pid]).length > 0;
  for (const nic of explicit) {
    refuseOtherProfile(nic, profiles);
    refuseRunning(nic, running, isOwn);
  }
}

/** Whether every NIC has its slot and an address whose claim says so, and nothing is held that the profile no longer names. */
function isSettled(options: ReserveOptions, leases: NicLeases): boolean {
  const { places, nics } = options;
  const slots = new Set(nics.map(({ id }) => leases.get(id)?.slot));
  if (slots.has(undefined) || slots.size !== nics.length) return false;
  for (const [id, { explicit }] of leases) {
    if (explicit !== undefined && !nics.some((nic) => nic.id === id && nic.mac === explicit)) return false;
  }
  const registry = hasHostRegistry(places);
  return nics.every((nic) => isHeld(options, { nic, lease: leases.get(nic.id), registry }));
}

interface Held {
  readonly nic: Nic;
  readonly lease: NicLease | undefined;
  readonly registry: boolean;
}

function isHeld({ places, vm }: ReserveOptions, { nic, lease, registry }: Held): boolean {
  const mac = nic.mac === undefined ? lease?.mac : lease?.explicit;
  if (mac === undefined || (nic.mac !== undefined && nic.mac !== mac)) return false;
  const read = readClaim(places, mac);
  if (read.state !== 'claimed' || read.claim.vm !== vm || read.claim.nic !== nic.id) return false;
  return !registry || readHostClaim(places, mac, vm) === 'own';
}

async function settleGuarded(options: ReserveOptions, scan: MacScan): Promise<Settled> {
  const { system, places, vm, nics, profileFile } = options;
  ensurePrivateDirectory(vmDir(places, vm), { uid: system.uid });
  // the look around spawns tools and needs no guard: what it sees is not changed by leases
  const taken = nics.some(({ mac }) => mac === undefined) ? await scan.taken() : new Set<string>();
  return await withLeaseGuard(places, (section) =>
    settle({ places, vm, nics, profileFile, pool: options.pool ?? defaultPool, taken, scan, section }),
  );
}

function macOf(leases: NicLeases, id: string): Mac {
  const mac = leases.get(id)?.mac;
  if (mac === undefined) throw new Error(`no MAC was leased to ${id}`);
  return mac;
}

function hasAutoPort(nic: Nic): boolean {
  return 'forwards' in nic && nic.forwards.some(({ hostPort }) => hostPort === 'auto');
}

/** What a VM holds, for lists; nothing is changed. Undefined: nothing, or its file is damaged. */
export function readLeases({ places, vm }: Pick<ReserveOptions, 'places' | 'vm'>): NicLeases | undefined {
  const read = readLeaseFile(places, vm);
  return read.state === 'read' ? read.nics : undefined;
}

/** `qrun rm`: every address of the VM is free again. May be repeated. */
export async function freeLeases({ places, vm }: Pick<ReserveOptions, 'places' | 'vm'>): Promise<void> {
  await withLeaseGuard(places, () => {
    const read = readLeaseFile(places, vm); // throws for one of a newer qrun: that is not touched
    const leases = read.state === 'read' ? [...read.nics.values()] : [];
    const held = leases.flatMap(({ mac, explicit }) => [mac, explicit]).filter((mac) => mac !== undefined);
    const damaged = held.filter((mac) => readClaim(places, mac).state === 'broken');
    for (const mac of [...scanClaims(places, vm).map((found) => found.mac), ...damaged]) {
      removeClaim(places, mac);
      freeOnHost(places, mac, vm);
    }
    for (const file of ownFiles(places, vm)) rmSync(file, { force: true });
  });
}

/** Leases, ports, and lease files that were set aside. */
function ownFiles(places: Places, vm: VmName): string[] {
  const leases = leaseFile(places, vm);
  const directory = path.dirname(leases);
  const aside = namesIn(directory).filter((name) => name.startsWith(`${path.basename(leases)}.broken-`));
  return [
    leases,
    lastPortsFile(directory),
    vmFiles(places, vm).linkNames,
    ...aside.map((name) => path.join(directory, name)),
  ];
}
