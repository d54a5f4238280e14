/**
 * What setup changed on this host, and what was there before: HOST/setup.json, which outlives the boot. An item is written down before anything of
 * it is done, and again when it is done; it goes when it was taken back. So whatever kills setup, a second one goes on where it was, and --undo knows
 * all that there may be.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { isRecord } from '../json-object.ts';
import type { Places } from '../places.ts';
import { shellWord } from '../shell-word.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { failureOf } from '../system/failure.ts';
import { writeDurable } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';
import { idOf, type Before, type SetupItem } from './item.ts';
import { isKind } from './items/registry.ts';

export interface SetupEntry {
  readonly item: SetupItem;
  readonly before: Before;
  /** `begun`: some of it may have been done, or none. */
  readonly state: 'begun' | 'done';
}

export interface SetupRecord {
  readonly v: 1;
  /** Directories above the record that were made for it, the outermost first. */
  readonly made: readonly string[];
  /** In the order in which they were made. */
  readonly entries: readonly SetupEntry[];
}

export const emptyRecord: SetupRecord = { v: 1, made: [], entries: [] };

export const recordFile = (places: Places): string => path.join(places.host, 'setup.json');

/** @throws QrunError `newer-state`, `unsafe-state` for one that others could have written, or that is damaged */
export function readRecord(places: Places): SetupRecord {
  const file = recordFile(places);
  if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return emptyRecord;
  const fault = faultOfRecord(file);
  if (fault !== undefined)
    throw new QrunError('unsafe-state', `what setup recorded cannot be trusted: ${fault}`, {
      hint: `ls -l ${shellWord(file)}`,
    });
  const read = readStateFile(file, { leave: true });
  if (read.state === 'absent') return emptyRecord;
  const record = read.state === 'read' ? parseRecord(read.value) : undefined;
  if (record !== undefined) return record;
  throw new QrunError('unsafe-state', `${file} is damaged: what setup changed is not known any more`, {
    hint: `sudo mv ${shellWord(file)} ${shellWord(`${file}.broken`)}   # and sudo qrun setup … again; what it finds done it leaves alone`,
    ...(read.state === 'broken' && { causes: [read.reason] }),
  });
}

/** What it says is done by root. */
function faultOfRecord(file: string): string | undefined {
  const stat = lstatSync(file);
  if (stat.uid !== 0) return `${file} belongs to uid ${stat.uid}`;
  if ((stat.mode & 0o022) !== 0) return `${file} can be written by others`;
  return faultOfDirectory(path.dirname(file), { uid: 0 });
}

function parseRecord({ made, entries }: Readonly<Record<string, unknown>>): SetupRecord | undefined {
  if (!Array.isArray(made) || !Array.isArray(entries) || !entries.every(isEntry)) return undefined;
  return { v: 1, made: made.filter((one) => typeof one === 'string'), entries };
}

function isEntry(value: unknown): value is SetupEntry {
  if (!isRecord(value) || !isRecord(value['item']) || !isRecord(value['before'])) return false;
  return isKind(value['item']['kind']) && (value['state'] === 'begun' || value['state'] === 'done');
}

export function writeRecord(places: Places, record: SetupRecord): void {
  writeDurable(recordFile(places), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o644 });
}

/** The new state of an item, in its old place or at the end. */
export function withEntry(record: SetupRecord, entry: SetupEntry): SetupRecord {
  const id = idOf(entry.item);
  const known = record.entries.some((one) => idOf(one.item) === id);
  const entries = record.entries.map((one) => (idOf(one.item) === id ? entry : one));
  return { ...record, entries: known ? entries : [...entries, entry] };
}

export const withoutEntry = (record: SetupRecord, item: SetupItem): SetupRecord => ({
  ...record,
  entries: record.entries.filter((one) => idOf(one.item) !== idOf(item)),
});

/**
 * Without an item whose like stays: that setup made the file it was in, or directories for it, is handed on to the earliest of those that are in it too,
 * which --undo takes back last.
 */
export function handedOn(record: SetupRecord, item: SetupItem): SetupRecord {
  const rest = withoutEntry(record, item);
  const before = entryOf(record, item)?.before;
  if (item.kind !== 'line' || before === undefined) return rest;
  const { end, parents } = before;
  const made = Array.isArray(parents) ? parents.filter((one) => typeof one === 'string') : [];
  const same = rest.entries.find((one) => one.item.kind === 'line' && one.item.path === item.path);
  const below = rest.entries.find((one) => pathOf(one.item)?.startsWith(`${made.at(-1) ?? '/dev/null'}/`) === true);
  const entries = rest.entries.map((entry) => {
    const hasEnd = entry === same && (end === 'absent' || end === 'open-end');
    if (!hasEnd && entry !== below) return entry;
    const own = Array.isArray(entry.before['parents']) ? (entry.before['parents'] as readonly unknown[]) : [];
    const all = entry === below ? { parents: [...made, ...own.filter((one) => !made.includes(String(one)))] } : {};
    return { ...entry, before: { ...entry.before, ...all, ...(hasEnd && { end }) } };
  });
  return { ...rest, entries };
}

const pathOf = (item: SetupItem): string | undefined =>
  item.kind === 'line' || item.kind === 'file' ? item.path : undefined;

export const entryOf = (record: SetupRecord, item: SetupItem): SetupEntry | undefined =>
  record.entries.find((one) => idOf(one.item) === idOf(item));

/** Makes HOST: root's, with its ways in open to all, whatever the umask is. @returns what was made, the outermost first */
export function makeHostDirectory(places: Places): string[] {
  const missing: string[] = [];
  for (let at = places.host; lstatSync(at, { throwIfNoEntry: false }) === undefined; at = path.dirname(at))
    missing.unshift(at);
  for (const directory of missing) {
    try {
      mkdirSync(directory);
      chownSync(directory, 0, 0);
      // root's STATE is passed through and not listed; the registry in it is everybody's to read
      chmodSync(directory, directory === places.host ? 0o755 : 0o711);
    } catch (error) {
      throw failureOf(directory, error, 'cannot make the directory');
    }
  }
  const fault = faultOfDirectory(places.host, { uid: 0 });
  if (fault !== undefined)
    throw new QrunError('unsafe-state', `unsafe directory: ${fault}`, { hint: `ls -ld ${shellWord(places.host)}` });
  return missing;
}

/** All is taken back. Directories in which there is something else by now stay; those that networks left empty are nothing. */
export function removeRecord(places: Places, { made }: SetupRecord): void {
  rmSync(recordFile(places), { force: true });
  if (!made.includes(places.host)) return;
  for (const { name } of readdirSync(places.host, { withFileTypes: true }).filter((one) => one.isDirectory()))
    removeEmpty(path.join(places.host, name));
  for (const directory of made.toReversed()) if (!removeEmpty(directory)) return;
}

function removeEmpty(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false;
  }
}
