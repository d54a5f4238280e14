/** Bridges of the host, from sysfs: no program is started for it. Only where sysfs shows another network than this process is in, `ip` is asked. */
import { lstatSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { isRecord } from '../json-object.ts';
import { textOf } from '../system/glance.ts';
import type { System } from '../system/system.ts';
import { lackingMacOf } from './bridge-mac.ts';
import { bridgeOfPort } from './sysfs.ts';

export interface BridgeFact {
  readonly name: string;
  /** `other`: an interface that is no bridge. */
  readonly state: 'bridge' | 'other' | 'absent';
  /** Administratively; a bridge without a port that is up carries nothing either way. */
  readonly up: boolean;
  /** Bytes. */
  readonly mtu: number;
  /** The bridge that an `other` is a port of. */
  readonly portOf?: string;
  /** Its MAC changes with its guests: one that it could be given for good. */
  readonly lackingMac?: string;
  /** Those that there are, where this one is none. */
  readonly others?: readonly string[];
}

const classDirectory = '/sys/class/net';
const standardMtu = 1500;
const upFlag = 1;

export function readBridge(name: string, system: Pick<System, 'runNow' | 'which'>): BridgeFact {
  const visible = parseInterfaceNames(textOf('/proc/net/dev'));
  const fact = sysfsShows(visible) || system.which('ip') === undefined ? fromSysfs(name) : fromIp(name, system);
  return fact.state === 'bridge' ? fact : { ...fact, others: listBridges() };
}

/** Names, as sysfs has them. */
export function listBridges(): string[] {
  try {
    return readdirSync(classDirectory)
      .filter((name) => isDirectory(path.join(classDirectory, name, 'bridge')))
      .toSorted();
  } catch {
    return [];
  }
}

/** The first column of /proc/net/dev, which is of this process's own network. */
export function parseInterfaceNames(text: string): string[] {
  return text
    .split('\n')
    .slice(2)
    .flatMap((line) => {
      const end = line.lastIndexOf(':');
      return end < 0 ? [] : [line.slice(0, end).trim()];
    });
}

/** After `unshare --net` /sys is still the old network's until it is mounted again. */
function sysfsShows(visible: readonly string[]): boolean {
  try {
    const shown = readdirSync(classDirectory).filter((name) => isLink(path.join(classDirectory, name)));
    return shown.length === visible.length && visible.every((name) => shown.includes(name));
  } catch {
    return false;
  }
}

function fromSysfs(name: string): BridgeFact {
  const directory = path.join(classDirectory, name);
  if (!isDirectory(directory)) return { name, state: 'absent', up: false, mtu: standardMtu };
  const portOf = bridgeOfPort(directory);
  const isBridge = isDirectory(path.join(directory, 'bridge'));
  const lackingMac = isBridge ? lackingMacOf(directory) : undefined;
  return {
    name,
    state: isBridge ? 'bridge' : 'other',
    up: (Number.parseInt(textOf(path.join(directory, 'flags')), 16) & upFlag) !== 0,
    mtu: Number.parseInt(textOf(path.join(directory, 'mtu')), 10) || standardMtu,
    ...(portOf !== undefined && { portOf }),
    ...(lackingMac !== undefined && { lackingMac }),
  };
}

function fromIp(name: string, { runNow }: Pick<System, 'runNow'>): BridgeFact {
  const { status, stdout } = runNow('ip', ['-j', '-details', 'link', 'show', 'dev', name], { timeoutMs: 30_000 });
  return (
    (status === 0 ? parseBridge(name, stdout) : undefined) ?? { name, state: 'absent', up: false, mtu: standardMtu }
  );
}

/** Of `ip -j -details link`. */
export function parseBridge(name: string, text: string): BridgeFact | undefined {
  const rows: unknown = text.trim() === '' ? [] : JSON.parse(text);
  const row: unknown = Array.isArray(rows) ? rows.find((one) => isRecord(one) && one['ifname'] === name) : undefined;
  if (!isRecord(row)) return undefined;
  const info = isRecord(row['linkinfo']) ? row['linkinfo'] : {};
  const flags: readonly unknown[] = Array.isArray(row['flags']) ? row['flags'] : [];
  const portOf = info['info_slave_kind'] === 'bridge' && typeof row['master'] === 'string' ? row['master'] : undefined;
  return {
    name,
    state: info['info_kind'] === 'bridge' ? 'bridge' : 'other',
    up: flags.includes('UP'),
    mtu: typeof row['mtu'] === 'number' ? row['mtu'] : standardMtu,
    ...(portOf !== undefined && { portOf }),
  };
}

function isDirectory(file: string): boolean {
  try {
    return statSync(file).isDirectory();
  } catch {
    return false;
  }
}

/** `bonding_masters` is a plain file there. */
const isLink = (file: string): boolean => lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true;
