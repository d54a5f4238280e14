/** Which MAC addresses are in use around here: on this host, on its networks, in other profiles, in any QEMU that runs. */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { isVmName, type Mac } from '../names.ts';
import { hostNetworkFiles } from '../network/host-network.ts';
import type { Places } from '../places.ts';
import { findMacs } from '../profile/mac-scan.ts';
import { namesIn, textOf } from '../system/glance.ts';
import { listQemus, type RunningQemu } from '../system/qemus.ts';
import { readOwned } from '../system/regular-file.ts';
import type { System } from '../system/system.ts';
import { listProfiles, type ListedProfile } from './profile-files.ts';

/** What leases need to know of the world; a test hands in another. */
export interface MacScan {
  /** Everything that must not be given to a new NIC. */
  readonly taken: () => Promise<ReadonlySet<string>>;
  /** Other profiles that name an address. */
  readonly profiles: () => ReadonlyMap<string, ListedProfile>;
  readonly running: () => readonly RunningQemu[];
  /** Whether that profile still names the address; a profile that cannot be read counts as one that does. */
  readonly stillNames: (profileFile: string, mac: Mac) => boolean;
}

export interface MacScanOptions {
  readonly system: System;
  readonly places: Places;
  /** The VM that asks: its own profile is no other. */
  readonly vm: string;
  readonly profileFile: string;
}

export function createMacScan(options: MacScanOptions): MacScan {
  return {
    taken: () => readTaken(options),
    profiles: () => readProfileMacs(options),
    running: listQemus,
    stillNames,
  };
}

async function readTaken(options: MacScanOptions): Promise<ReadonlySet<string>> {
  return new Set([
    ...(await readOfHost(options.system)),
    ...readPortMacs(options.places),
    ...readProfileMacs(options).keys(),
    ...listQemus().flatMap((qemu) => qemu.macs),
  ]);
}

/** What the port of a network may not get: ports of other networks keep theirs while these are down. */
export async function readTakenForPorts(system: System, places: Places): Promise<ReadonlySet<string>> {
  return new Set([...(await readOfHost(system)), ...readPortMacs(places), ...listQemus().flatMap((qemu) => qemu.macs)]);
}

/** Of ports of root's networks, which are lasting; where setup made no registry, nothing else tells of them. */
function readPortMacs({ host }: Pick<Places, 'host'>): string[] {
  const directory = path.join(host, 'ports');
  const texts = namesIn(directory).map((name) => (isVmName(name) ? textOf(hostNetworkFiles(host, name).macs) : ''));
  return texts.flatMap((text) => text.match(/\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b/g) ?? []);
}

/** The host's interfaces and neighbours, by the one that looked: a command that starts a hundred VMs looks once. */
const ofHost = new WeakMap<System, Promise<readonly string[]>>();

function readOfHost(system: System): Promise<readonly string[]> {
  const known = ofHost.get(system) ?? lookAtHost(system);
  ofHost.set(system, known);
  return known;
}

async function lookAtHost(system: System): Promise<readonly string[]> {
  const [neighbours, forwarding, named] = await Promise.all([
    readRows(system, ['ip', '-j', 'neigh']),
    readRows(system, ['bridge', '-j', 'fdb']),
    readNamedInterfaces(),
  ]);
  return [...readInterfaceMacs(), ...named, ...macsOfRows(neighbours, 'lladdr'), ...macsOfRows(forwarding, 'mac')];
}

/** All interfaces, those without an address too, which os.networkInterfaces leaves out. */
function readInterfaceMacs(): string[] {
  const directory = '/sys/class/net';
  return namesIn(directory).map((name) =>
    textOf(path.join(directory, name, 'address'))
      .trim()
      .toLowerCase(),
  );
}

/** The same from the C library's point of view, for hosts (containers) where /sys is not that of this network namespace. */
async function readNamedInterfaces(): Promise<string[]> {
  const { default: macaddress } = await import('macaddress');
  const interfaces: unknown = macaddress.networkInterfaces();
  return typeof interfaces === 'object' && interfaces !== null ? macsOfRows(Object.values(interfaces), 'mac') : [];
}

/** What a tool of iproute2 prints as JSON; nothing where the tool is missing or refuses: then there is one look less. */
async function readRows(system: System, [tool = '', ...args]: readonly string[]): Promise<unknown> {
  if (system.which(tool) === undefined) return [];
  const { status, stdout } = await system.run(tool, args);
  try {
    return status === 0 && stdout.trim() !== '' ? JSON.parse(stdout) : [];
  } catch {
    return [];
  }
}

export function macsOfRows(rows: unknown, key: string): string[] {
  if (!Array.isArray(rows)) return [];
  return rows
    .map((row: unknown) => (typeof row === 'object' && row !== null ? Reflect.get(row, key) : undefined))
    .filter((mac) => typeof mac === 'string')
    .map((mac) => mac.toLowerCase());
}

/** Read as text, not parsed: a profile with a fault somewhere else still names its addresses. Examples are nobody's VMs yet. */
function readProfileMacs({ places, vm, profileFile }: MacScanOptions): Map<string, ListedProfile> {
  const own = realOf(profileFile);
  const found = new Map<string, ListedProfile>();
  for (const profile of listProfiles(places)) {
    if (profile.example || profile.name === vm) continue;
    const macs = readMacsOf(profile.file) ?? [];
    if (macs.length === 0 || realOf(profile.file) === own) continue;
    for (const mac of macs) if (!found.has(mac)) found.set(mac, profile);
  }
  return found;
}

function stillNames(profileFile: string, mac: Mac): boolean {
  const macs = readMacsOf(profileFile);
  return macs === undefined ? realOf(profileFile) !== undefined : macs.includes(mac);
}

/** Undefined: it cannot be read. */
function readMacsOf(file: string): readonly Mac[] | undefined {
  try {
    const text = readOwned(file, { maxBytes: 256 * 1024 })?.text;
    return text === undefined ? undefined : findMacs(text).map(({ mac }) => mac);
  } catch {
    return undefined;
  }
}

function realOf(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined;
  }
}
