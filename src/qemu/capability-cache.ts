/**
 * What a QEMU can do, kept between runs: a look at the answer costs a millisecond, asking QEMU costs a hundred. The answer counts for exactly
 * the files that it came from; a package that is updated keeps its modification time, so the change time is compared.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { digestOf } from '../digest.ts';
import { isRecord } from '../json-object.ts';
import { readCacheFile, writeCacheFile } from '../system/cache-file.ts';
import type { QemuCapabilities } from './capabilities.ts';

/** What an answer depends on; equal keys mean an equal answer. */
export interface CapabilityKey {
  readonly kernel: string;
  readonly moduleDir: string;
  /** Each file and directory with its identity, or none when it is not there. */
  readonly watched: readonly { readonly path: string; readonly stamp: string }[];
}

interface CacheEntry {
  readonly v: 1;
  readonly key: CapabilityKey;
  readonly capabilities: QemuCapabilities;
}

/** Where distributions put QEMU's modules. */
const moduleDirs = [
  `/usr/lib/${os.arch() === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/qemu`,
  '/usr/lib64/qemu',
  '/usr/lib/qemu',
  '/usr/local/lib/qemu',
];
const maxScriptBytes = 64 * 1024;

/** `file` must exist. */
export function readCapabilityKey(file: string, env: Readonly<Record<string, string | undefined>>): CapabilityKey {
  const real = realpathSync(file);
  const moduleDir = env['QEMU_MODULE_DIR'] ?? '';
  const named = [file, real, ...pathsInScript(real), ...moduleDirs, ...(moduleDir === '' ? [] : [moduleDir])];
  const watched = [...new Set(named)].map((name) => ({ path: name, stamp: stampOf(name) }));
  return { kernel: os.release(), moduleDir, watched };
}

/** The binary may be a script around the real one: what it names is watched as well. */
function pathsInScript(file: string): string[] {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(fd);
    if (size > maxScriptBytes) return [];
    const text = readFileSync(fd, 'latin1');
    if (!text.startsWith('#!')) return [];
    return [...text.matchAll(/(?:^|[\s"'=:])(\/[^\s"'=:;|&<>()$`]+)/g)].map((match) => match[1] ?? '').slice(0, 50);
  } finally {
    closeSync(fd);
  }
}

function stampOf(file: string): string {
  const stat = lookAt(file);
  if (stat === undefined) return 'none';
  // a directory's modification time says that an entry came or went; its change time moves for less
  if (stat.isDirectory()) return `${stat.dev}:${stat.ino}:${stat.mtimeMs}`;
  return `${stat.dev}:${stat.ino}:${stat.size}:${stat.ctimeMs}`;
}

function lookAt(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}

export function capabilityCacheFile(cacheDir: string, file: string): string {
  // what is in it names both files again, and is compared
  return path.join(cacheDir, `qemu-${digestOf(`${realpathSync(file)}\0${file}`)}.json`);
}

/** Undefined when there is no answer, when it is for other files, or when somebody else could have written it. Never throws. */
export function readCachedCapabilities(cacheFile: string, key: CapabilityKey): QemuCapabilities | undefined {
  const entry = readCacheFile(cacheFile);
  if (!isEntry(entry)) return undefined;
  return JSON.stringify(entry.key) === JSON.stringify(key) ? entry.capabilities : undefined;
}

/** A cache that cannot be written costs time and nothing else. */
export function writeCachedCapabilities(cacheFile: string, key: CapabilityKey, capabilities: QemuCapabilities): void {
  const entry: CacheEntry = { v: 1, key, capabilities };
  writeCacheFile(cacheFile, entry);
}

/** The file is this user's own: that its parts are there is enough to tell it from a damaged one. */
function isEntry(value: unknown): value is CacheEntry {
  if (!isRecord(value) || value['v'] !== 1 || !isRecord(value['key']) || !isRecord(value['capabilities'])) return false;
  const { capabilities } = value;
  const lists = ['netdevTypes', 'options', 'devices', 'machines', 'accelerators'];
  const records = ['version', 'netdevMembers', 'optionMembers'];
  return (
    capabilities['v'] === 1 &&
    typeof capabilities['file'] === 'string' &&
    typeof capabilities['realFile'] === 'string' &&
    lists.every((name) => Array.isArray(capabilities[name])) &&
    records.every((name) => isRecord(capabilities[name]))
  );
}
