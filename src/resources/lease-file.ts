/**
 * What one VM holds for good, by NIC id: `STATE/vms/NAME/leases.json`. Replaced as a whole under the lease guard, read without it.
 *
 *     {"v":1,"nics":{"net0":{"mac":"52:54:00:…","slot":16},"net1":{"explicit":"02:…","slot":17}}}
 *
 * `mac` was allocated and comes back when an explicit one is taken out of the profile again.
 */
import path from 'node:path';
import { isRecord } from '../json-object.ts';
import { type Mac, parseMac } from '../names.ts';
import { type Places, vmDir } from '../places.ts';
import { writeDurable } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';

export interface NicLease {
  readonly mac?: Mac;
  readonly explicit?: Mac;
  readonly slot: number;
}

/** By NIC id. */
export type NicLeases = ReadonlyMap<string, NicLease>;

export type LeaseRead =
  | { readonly state: 'absent' }
  | { readonly state: 'read'; readonly nics: NicLeases }
  | { readonly state: 'broken'; readonly reason: string };

export const leaseFile = (places: Places, vm: string): string => path.join(vmDir(places, vm), 'leases.json');

/** Leaves a broken file where it is. @throws QrunError `newer-state`, `unsafe-state`, `permission` */
export function readLeaseFile(places: Places, vm: string): LeaseRead {
  const read = readStateFile(leaseFile(places, vm), { leave: true });
  if (read.state !== 'read') return read;
  const nics = parseNics(read.value['nics']);
  return nics === undefined ? { state: 'broken', reason: 'its "nics" are not leases' } : { state: 'read', nics };
}

export function writeLeaseFile(places: Places, vm: string, nics: NicLeases): void {
  writeDurable(leaseFile(places, vm), `${JSON.stringify({ v: 1, nics: Object.fromEntries(nics) })}\n`);
}

function parseNics(value: unknown): NicLeases | undefined {
  if (!isRecord(value)) return undefined;
  const nics = new Map<string, NicLease>();
  for (const [id, entry] of Object.entries(value)) {
    const lease = parseLease(entry);
    if (lease === undefined) return undefined;
    nics.set(id, lease);
  }
  return nics;
}

export function parseLease(value: unknown): NicLease | undefined {
  if (!isRecord(value) || !isSlot(value['slot'])) return undefined;
  const mac = macOf(value['mac']);
  const explicit = macOf(value['explicit']);
  if (mac === 'bad' || explicit === 'bad') return undefined;
  return { slot: value['slot'], ...(mac !== undefined && { mac }), ...(explicit !== undefined && { explicit }) };
}

const isSlot = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 32;

function macOf(value: unknown): Mac | 'bad' | undefined {
  if (value === undefined) return undefined;
  const parsed = typeof value === 'string' ? parseMac(value) : undefined;
  return parsed !== undefined && 'mac' in parsed ? parsed.mac : 'bad';
}
