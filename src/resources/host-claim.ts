/**
 * The host-wide registry of MACs, made by `setup`: a directory of root's with the sticky bit, where each user makes files of their own.
 * Without it, users learn of each other's addresses only from QEMUs that run.
 */
import { lstatSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Mac, VmName } from '../names.ts';
import type { NetworkName } from '../network/network.ts';
import type { Places } from '../places.ts';
import { createExclusive } from '../system/files.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { readStateFile } from '../system/state-files.ts';
import { claimFileName } from './mac-claim.ts';

/** A VM, or a network whose ports keep their addresses: no VM has a name with a `/` in it. */
export type ClaimHolder = VmName | `net/${NetworkName}`;

export interface HostClaim {
  readonly vm: ClaimHolder;
  readonly nic: string;
}

/** The registry, and whose state the claims of this user are of. */
type Registry = Pick<Places, 'host' | 'state'>;

const registryOf = (places: Pick<Places, 'host'>): string => path.join(places.host, 'macs');
const fileOf = (places: Pick<Places, 'host'>, mac: Mac): string => path.join(registryOf(places), claimFileName(mac));

/** Whether there is a registry, and one that nobody but its users' own files can be changed in. */
export function hasHostRegistry(places: Pick<Places, 'host'>): boolean {
  const stat = lstatSync(registryOf(places), { throwIfNoEntry: false });
  return (
    stat?.isDirectory() === true && stat.uid === 0 && faultOfDirectory(registryOf(places), { uid: 0 }) === undefined
  );
}

/** Who has it: this VM, somebody else (by uid), or nobody. */
export function readHostClaim(places: Registry, mac: Mac, vm: ClaimHolder): 'free' | 'own' | { readonly uid: number } {
  const file = fileOf(places, mac);
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return 'free';
  const { uid } = stat;
  if (uid !== process.getuid?.()) return { uid };
  try {
    const read = readStateFile(file, { leave: true, maxBytes: 64 * 1024 });
    const mine = read.state === 'read' && read.value['vm'] === vm && read.value['state'] === places.state;
    return mine ? 'own' : { uid };
  } catch {
    return { uid };
  }
}

/** True: it is ours now, or there is no registry. */
export function claimOnHost(places: Registry, mac: Mac, claim: HostClaim): boolean {
  if (!hasHostRegistry(places)) return true;
  const text = `${JSON.stringify({ v: 1, ...claim, state: places.state })}\n`;
  if (createExclusive(fileOf(places, mac), text, { mode: 0o644 })) return true;
  return readHostClaim(places, mac, claim.vm) === 'own';
}

export function freeOnHost(places: Registry, mac: Mac, vm: ClaimHolder): void {
  if (hasHostRegistry(places) && readHostClaim(places, mac, vm) === 'own') rmSync(fileOf(places, mac), { force: true });
}

/** The network whose port has it; undefined: nobody's, or a VM's. Believed of root's own files alone. */
export function networkOfClaim(places: Pick<Places, 'host'>, mac: Mac): string | undefined {
  const file = fileOf(places, mac);
  if (lstatSync(file, { throwIfNoEntry: false })?.uid !== 0) return undefined;
  try {
    const read = readStateFile(file, { leave: true, maxBytes: 64 * 1024 });
    const holder = read.state === 'read' ? read.value['vm'] : undefined;
    return typeof holder === 'string' && holder.startsWith('net/') ? holder.slice('net/'.length) : undefined;
  } catch {
    return undefined;
  }
}
