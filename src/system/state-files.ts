/** Files of state are JSON with a version `v`. A newer one is left alone; one that cannot be read is set aside and never thrown away. */
import { lstatSync, renameSync } from 'node:fs';
import { errnoOf, QrunError } from '../errors.ts';
import { failureOf } from './failure.ts';
import { readOwned } from './regular-file.ts';

const defaultMaxBytes = 4 * 1024 * 1024;
const knownVersion = 1;

export interface JsonOptions {
  readonly maxBytes?: number;
  /** A broken file stays where it is: for readers that hold no lock. */
  readonly leave?: boolean;
}

export type JsonRead =
  | { readonly state: 'absent' }
  | { readonly state: 'read'; readonly value: Readonly<Record<string, unknown>> }
  /** Cut short or garbage. `movedTo` is where it is now, unless it was left. */
  | { readonly state: 'broken'; readonly reason: string; readonly movedTo?: string };

/** @throws QrunError `newer-state`, `unsafe-state` (a link, FIFO, …), `permission` */
export function readStateFile(file: string, options: JsonOptions = {}): JsonRead {
  const read = readOwned(file, { maxBytes: options.maxBytes ?? defaultMaxBytes, code: 'unsafe-state' });
  if (read === undefined) return { state: 'absent' };
  const parsed = parseJson(read.text);
  if ('reason' in parsed) {
    if (options.leave === true) return { state: 'broken', reason: parsed.reason };
    return { state: 'broken', reason: parsed.reason, movedTo: setAside(file) };
  }
  if (parsed.v > knownVersion) throw newerState(file, parsed.v);
  return { state: 'read', value: parsed.value };
}

function parseJson(
  text: string,
): { readonly value: Readonly<Record<string, unknown>>; readonly v: number } | { readonly reason: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { reason: text.trim() === '' ? 'it is empty' : 'it is not JSON (cut short?)' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { reason: 'it is not a JSON object' };
  const v: unknown = 'v' in value ? value.v : undefined;
  if (typeof v !== 'number' || !Number.isInteger(v) || v < 1) return { reason: 'it has no version "v"' };
  return { value: value as Record<string, unknown>, v };
}

/** Renames to `NAME.broken-TIMESTAMP` and gives the new name. */
export function setAside(file: string): string {
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  let aside = `${file}.broken-${stamp}`;
  for (let n = 1; exists(aside); n++) aside = `${file}.broken-${stamp}-${n}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw failureOf(file, error, 'it is damaged, and cannot be set aside');
  }
  return aside;
}

const exists = (file: string): boolean => lstatSync(file, { throwIfNoEntry: false }) !== undefined;

/** For whoever is about to write or remove the file; what else is wrong with it is told by who needs it. @throws QrunError `newer-state` */
export function requireKnownVersion(file: string): void {
  try {
    readStateFile(file, { leave: true });
  } catch (error) {
    if (error instanceof QrunError && error.code !== 'newer-state') return;
    throw error;
  }
}

export const newerState = (file: string, found: number): QrunError =>
  new QrunError(
    'newer-state',
    `${file} was written by a newer qrun (version ${found}, this one knows ${knownVersion})`,
    { hint: 'use the newer one, or install it again: which -a qrun' },
  );
