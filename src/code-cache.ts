/**
 * V8's compiled code of the bundle, kept from run to run: half of the start-up time. It is machine code's next of kin, and V8 does not check it
 * (a flipped bit crashes the process), so it is read only if nobody else can have written it, it is undamaged, and it is of this very build
 * and node. Whatever is wrong with it, it is as if it were not there.
 *
 * It is made when a run ends, so that it holds what that run had compiled; a command that it has not seen yet adds its own part.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { homeDirectory } from './home.ts';
import path from 'node:path';
import type { Script } from 'node:vm';
import { placesOf } from './places.ts';
import { makeMissingDirectory } from './system/missing-directory.ts';

const magic = 'qrc3';
/**
 * Magic, length of the head, length of the whole: then the head (JSON, padded with blanks) and the code; then all of that a second time. Damage
 * shows in that the two differ, and to compare them takes microseconds; a checksum takes milliseconds, be it by a loop or by loading zlib.
 */
const fixedBytes = 16;
/** V8 takes the code as it lies in memory if it is aligned. */
const alignment = 16;
/** Ten times what it is; a file of another size is none of ours. */
const mostBytes = 32 * 1024 * 1024;
/** Those of other versions of qrun or node go when they have not been renewed for so long. */
const staleMs = 30 * 24 * 3600 * 1000;

interface Head {
  /** Node, machine and build that the code is for. */
  readonly key: string;
  /** Commands whose code is in it. */
  readonly commands: readonly string[];
  /** The parts behind the head: the code of one source each, in this order. */
  readonly parts: readonly { readonly source: string; readonly bytes: number }[];
}

export interface CodeCacheOptions {
  /** The bundle's file, and the hash that the build gave to it and the libraries. */
  readonly file: string;
  readonly build: string;
  /** Commands that use the same part of the bundle share a cache. */
  readonly family: string;
  readonly directory: string;
  readonly uid: number;
}

export class CodeCache {
  readonly #file: string;
  readonly #key: string;
  readonly #options: CodeCacheOptions;
  readonly #parts = new Map<string, Buffer>();
  readonly #scripts = new Map<string, Script>();
  #commands: readonly string[] = [];

  constructor(options: CodeCacheOptions) {
    const { size, mtimeMs } = statSync(options.file);
    this.#options = options;
    this.#key = [process.version, process.arch, options.build, size, mtimeMs].join(' ');
    const name = ['code', process.version, process.arch, options.build.slice(0, 12), options.family].join('-');
    this.#file = path.join(options.directory, `${name}.bin`);
    this.#read();
  }

  #read(): void {
    try {
      const found = readTrusted(this.#file, this.#options);
      if (found === undefined || found.head.key !== this.#key) return;
      this.#commands = found.head.commands;
      let at = 0;
      for (const { source, bytes } of found.head.parts) {
        this.#parts.set(source, found.code.subarray(at, at + bytes));
        at += aligned(bytes);
      }
    } catch {
      // none, or none that is of use
    }
  }

  /** The compiled code of a source, if there is any. */
  codeOf(source: string): Buffer | undefined {
    return this.#parts.get(source);
  }

  /** A source that has been loaded: its code is kept at the end. */
  loaded(source: string, script: Script): void {
    this.#scripts.set(source, script);
  }

  /** Keeps what V8 has compiled by now, if it is more than what was read. `command` is what has run, undefined if it failed. */
  keep(command: string | undefined): void {
    try {
      const rejected = [...this.#scripts.values()].some((script) => script.cachedDataRejected === true);
      // V8 was told to compile differently: those who ask for that do not want the others' cache replaced each time
      if (rejected && (process.execArgv.length > 0 || (process.env['NODE_OPTIONS'] ?? '') !== '')) return;
      const seen = rejected ? [] : this.#commands;
      const isNew = command !== undefined && !seen.includes(command);
      const isWhole = !rejected && [...this.#scripts.keys()].every((source) => this.#parts.has(source));
      if (isWhole && !isNew) return;
      const fresh = [...this.#scripts].map(([source, script]) => [source, script.createCachedData()] as const);
      const parts = new Map([...(rejected ? [] : this.#parts), ...fresh]);
      writeTrusted(this.#file, pack(this.#key, isNew ? [...seen, command] : seen, parts), this.#options);
    } catch {
      // the next run may have more luck
    }
  }
}

/** Where the cache is for this user and environment. */
export function codeCacheDirectory(packageRoot: string): string {
  const uid = process.getuid?.() ?? 0;
  try {
    return placesOf({ env: process.env, uid, home: homeDirectory(), packageRoot }).cache;
  } catch {
    // one that is relative to a working directory that is gone: whoever comes to it tells
    return '/nonexistent';
  }
}

/** Only the user (or root) can have put it there. */
const isTrusted = (stats: Stats, uid: number): boolean =>
  (stats.uid === uid || stats.uid === 0) && (stats.mode & 0o022) === 0;

function readTrusted(file: string, { directory, uid }: CodeCacheOptions): ReturnType<typeof unpack> {
  const folder = lstatSync(directory);
  if (!folder.isDirectory() || !isTrusted(folder, uid)) return undefined;
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || !isTrusted(stats, uid) || stats.size > mostBytes) return undefined;
    const bytes = Buffer.allocUnsafeSlow(Math.floor(stats.size / 2));
    if (readSync(fd, bytes, 0, bytes.length, 0) !== bytes.length) return undefined;
    return isTwice(fd, bytes) ? unpack(bytes) : undefined;
  } finally {
    closeSync(fd);
  }
}

const pieceBytes = 128 * 1024;

/** Whether the same comes once more, and nothing after it. Piece by piece: memory that is new to the process costs more than to read and to compare. */
function isTwice(fd: number, bytes: Buffer): boolean {
  const piece = Buffer.allocUnsafeSlow(pieceBytes);
  for (let at = 0; ;) {
    const read = readSync(fd, piece, 0, pieceBytes, bytes.length + at);
    if (read === 0) return at === bytes.length;
    if (at + read > bytes.length || bytes.compare(piece, 0, read, at, at + read) !== 0) return false;
    at += read;
  }
}

function unpack(bytes: Buffer): { readonly head: Head; readonly code: Buffer } | undefined {
  if (bytes.length < fixedBytes || bytes.toString('latin1', 0, 4) !== magic) return undefined;
  if (bytes.readUInt32LE(8) !== bytes.length) return undefined;
  const end = fixedBytes + bytes.readUInt32LE(4);
  return { head: JSON.parse(bytes.toString('utf8', fixedBytes, end)) as Head, code: bytes.subarray(end) };
}

function pack(key: string, commands: readonly string[], parts: ReadonlyMap<string, Buffer>): Buffer {
  const head: Head = { key, commands, parts: [...parts].map(([source, { length }]) => ({ source, bytes: length })) };
  const text = JSON.stringify(head);
  const length = fixedBytes + Buffer.byteLength(text);
  const padded = Buffer.from(text + ' '.repeat(aligned(length) - length));
  const codes = [...parts.values()].flatMap((code) => [code, Buffer.alloc(aligned(code.length) - code.length)]);
  const bytes = Buffer.concat([Buffer.alloc(fixedBytes), padded, ...codes]);
  bytes.write(magic, 0, 'latin1');
  bytes.writeUInt32LE(padded.length, 4);
  bytes.writeUInt32LE(bytes.length, 8);
  return Buffer.concat([bytes, bytes]);
}

const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/** At once or not at all, and never into a directory that others can write. */
function writeTrusted(file: string, bytes: Buffer, { directory, uid }: CodeCacheOptions): void {
  makeMissingDirectory(directory, 0o700);
  const folder = lstatSync(directory);
  if (!folder.isDirectory() || !isTrusted(folder, uid)) return;
  removeStale(directory);
  const draft = `${file}.${process.pid}`;
  const fd = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
    closeSync(fd);
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function removeStale(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!/^code-v[\w.-]+\.bin(?:\.\d+)?$/.test(name)) continue;
    const file = path.join(directory, name);
    if (Date.now() - lstatSync(file).mtimeMs > staleMs) rmSync(file, { force: true });
  }
}
