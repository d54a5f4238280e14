/**
 * Definitions of networks and profiles as they were understood, kept between runs: to read one takes two libraries, and longer than all else that comes
 * before a network's first step. What is kept counts for exactly the text, and what else its meaning depends on, by the very program that understood it. A text with faults is not kept.
 */
import { lstatSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { digestOf } from '../digest.ts';
import { isRecord } from '../json-object.ts';
import type { Places } from '../places.ts';
import { readCacheFile, writeCacheFile } from '../system/cache-file.ts';

export interface DefinitionSource {
  readonly kind: 'network' | 'profile';
  /** Absolute. */
  readonly file: string;
  readonly name: string;
  readonly text: string;
  readonly home: string;
  readonly uid: number;
}

interface Kept {
  readonly v: 1;
  readonly program: string;
  readonly source: DefinitionSource;
  readonly value: unknown;
}

type Where = Pick<Places, 'cache' | 'examples'>;

/** What the text means: as it was understood before, if nothing of it has changed since; else it is read. @throws what `read` throws */
export async function understand<T>(source: DefinitionSource, places: Where, read: () => Promise<T>): Promise<T> {
  const kept = readKeptDefinition(source, places);
  if (kept !== undefined) return kept as T;
  const value = await read();
  keepDefinition(source, value, places);
  return value;
}

/** Undefined: it is to be read. Never throws. */
export function readKeptDefinition(source: DefinitionSource, places: Where): unknown {
  const program = stampOfProgram(places);
  if (program === undefined) return undefined;
  const kept = readCacheFile(fileFor(source, places));
  if (!isKept(kept) || kept.program !== program || keyOf(kept.source) !== keyOf(source)) return undefined;
  return kept.value;
}

/** Never throws. */
export function keepDefinition(source: DefinitionSource, value: unknown, places: Where): void {
  const program = stampOfProgram(places);
  if (program === undefined) return;
  removeStale(places.cache);
  const kept: Kept = { v: 1, program, source, value };
  writeCacheFile(fileFor(source, places), kept);
}

const fileFor = ({ kind, file, name }: DefinitionSource, { cache }: Where): string =>
  path.join(cache, `${kind}-${digestOf(`${file}\0${name}`)}.json`);

const keyOf = ({ kind, file, name, text, home, uid }: DefinitionSource): string =>
  JSON.stringify([kind, file, name, text, home, uid]);

/** The first file of the bundle names all the others by their hash, and is another whenever one of them is. Undefined: qrun is not built. */
function stampOfProgram({ examples }: Where): string | undefined {
  const stat = statSync(path.join(path.dirname(examples), 'dist/boot.cjs'), { throwIfNoEntry: false });
  return stat === undefined ? undefined : [stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(':');
}

/** The file is this user's own: that its parts are there is enough to tell it from another one. */
function isKept(value: unknown): value is Kept {
  if (!isRecord(value) || value['v'] !== 1 || !isRecord(value['source']) || !isRecord(value['value'])) return false;
  return value['value']['name'] === value['source']['name'] && value['value']['file'] === value['source']['file'];
}

const staleMs = 30 * 24 * 3600 * 1000;

/** Of definitions that are gone, mostly; one that is not is kept anew when it is read next. */
function removeStale(directory: string): void {
  try {
    for (const name of readdirSync(directory)) {
      if (!/^(?:network|profile)-[0-9a-f]{16}\.json$/.test(name)) continue;
      const file = path.join(directory, name);
      if (Date.now() - lstatSync(file).mtimeMs > staleMs) rmSync(file, { force: true });
    }
  } catch {
    // there is none yet, or somebody else removes them just now
  }
}
