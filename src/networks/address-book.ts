/**
 * Which VM has which address on a network: given once, and kept from run to run, so that a forward to a VM by its name is right before the VM runs.
 * Read and written under the network's lock. When all are given away, the one that was unused for longest goes to the next.
 */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { AddressPool } from '../network/address-pool.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { writeDurable } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';

interface Entry {
  readonly ip: string;
  /** When a VM last joined with it, or it was reserved: seconds since the epoch. */
  readonly used: number;
}

type Entries = Readonly<Record<string, Entry>>;

/** `web1` for a VM's first NIC on the network, `web1/net2` for another of it. */
export type Holder = string;

export interface AddressBook {
  /** Undefined: the network has no addresses to give. @throws QrunError `in-use` when none is left */
  readonly reserve: (holder: Holder) => string | undefined;
  readonly addressOf: (holder: Holder) => string | undefined;
  /** All that are given to VMs, with who has them. */
  readonly entries: () => Readonly<Record<Holder, string>>;
  /** Keeps what was reserved. Without it nothing is changed on the disk. */
  readonly save: () => void;
}

export interface BookOptions {
  readonly files: NetworkFiles;
  readonly pool: AddressPool;
  readonly uid: number;
  /** Holders that are on the network now: theirs are not given away. */
  readonly inUse?: readonly Holder[];
  /** What others have by DHCP: not given away either. */
  readonly leased?: readonly string[];
}

export function openAddressBook({ files, pool, uid, inUse = [], leased = [] }: BookOptions): AddressBook {
  const before = readEntries(files);
  let entries: Entries = Object.fromEntries(Object.entries(before).filter(([, { ip }]) => pool.isDynamic(ip)));
  const now = Math.floor(Date.now() / 1000);
  const reserve = (holder: Holder): string | undefined => {
    const fixed = pool.fixed(holder);
    if (fixed !== undefined) return fixed;
    const known = entries[holder];
    const ip = known?.ip ?? pool.firstFree(new Set([...Object.values(entries).map((entry) => entry.ip), ...leased]));
    if (ip !== undefined) {
      entries = { ...entries, [holder]: { ip, used: now } };
      return ip;
    }
    if (pool.size === 0) return undefined;
    const oldest = Object.entries(entries)
      .filter(([other]) => !inUse.includes(other))
      .toSorted(([, left], [, right]) => left.used - right.used)[0];
    if (oldest === undefined) throw exhausted(path.basename(files.dir), pool);
    const [other, entry] = oldest;
    const { [other]: _given, ...rest } = entries;
    entries = { ...rest, [holder]: { ip: entry.ip, used: now } };
    return entry.ip;
  };
  return {
    reserve,
    addressOf: (holder) => pool.fixed(holder) ?? entries[holder]?.ip,
    entries: () => Object.fromEntries(Object.entries(entries).map(([holder, { ip }]) => [holder, ip])),
    save: () => {
      if (JSON.stringify(entries) === JSON.stringify(before)) return;
      ensurePrivateDirectory(files.dir, { uid });
      writeEntries(files, entries);
    },
  };
}

/** For any of its NICs. */
export const hasAddress = (files: NetworkFiles, vm: string): boolean =>
  Object.keys(readEntries(files)).some((holder) => isOf(vm, holder));

/** Those of all of its NICs are for others. */
export function forgetAddresses(files: NetworkFiles, vm: string): void {
  const left = Object.entries(readEntries(files)).filter(([holder]) => !isOf(vm, holder));
  writeEntries(files, Object.fromEntries(left));
}

const isOf = (vm: string, holder: Holder): boolean => holder === vm || holder.startsWith(`${vm}/`);

const writeEntries = (files: NetworkFiles, addresses: Entries): void =>
  writeDurable(files.addresses, JSON.stringify({ v: 1, addresses }));

function readEntries(files: NetworkFiles): Entries {
  const read = readStateFile(files.addresses);
  const addresses = read.state === 'read' ? read.value['addresses'] : undefined;
  if (typeof addresses !== 'object' || addresses === null) return {};
  const taken = new Set<string>();
  return Object.fromEntries(
    Object.entries(addresses as Record<string, unknown>)
      .filter(isEntry)
      // one address is one holder's, whatever a damaged file says
      .filter(([, { ip }]) => !taken.has(ip) && taken.add(ip)),
  );
}

function isEntry(pair: [string, unknown]): pair is [string, Entry] {
  const [, value] = pair;
  return (
    typeof value === 'object' &&
    value !== null &&
    'ip' in value &&
    typeof value.ip === 'string' &&
    'used' in value &&
    typeof value.used === 'number'
  );
}

function exhausted(network: string, pool: AddressPool): QrunError {
  return new QrunError('in-use', `network ${network}: all its ${pool.size} addresses are in use`, {
    hint: 'give the network wider dhcp ranges, or stop a VM that is on it',
  });
}
