/**
 * V8's compiled code of the bundle, kept from run to run: half of the start-up time. It is machine code's next of kin, and V8 does not check it
 * (a flipped bit crashes the process), so it is read only if nobody else can have written it, its checksum is right, and it is of this very bundle
 * and node. Whatever is wrong with it, it is as if it were not there.
 *
 * It is made when a run ends, so that it holds what that run had compiled; a command that it has not seen yet adds its own part.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import type { Script } from 'node:vm';
import { placesOf } from './places.ts';

const magic = 'qrc1';
/** Magic, two words of checksum over all that follows, length of the head: then the head (JSON, padded with blanks), then the code. */
const fixedBytes = 16;
/** V8 takes the code as it lies in memory if it is aligned. */
const alignment = 16;
/** Ten times what it is; a file of another size is none of ours. */
const mostBytes = 32 * 1024 * 1024;
/** Those of other versions of qrun or node go when they have not been renewed for so long. */
const staleMs = 30 * 24 * 3600 * 1000;

interface Head {
  /** Node, machine and bundle that the code is for. */
  readonly key: string;
  /** Commands whose code is in it. */
  readonly commands: readonly string[];
}

export interface CodeCacheOptions {
  /** The bundle's file, and the hash that the build gave it. */
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
  #commands: readonly string[] = [];
  code: Buffer | undefined;

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
      this.code = found.code;
    } catch {
      // none, or none that is of use
    }
  }

  /** Keeps what V8 has compiled by now, if it holds more than what was read. `command` is what has run, undefined if it failed. */
  keep(script: Script, command: string | undefined): void {
    try {
      if (script.cachedDataRejected === true) {
        // V8 was told to compile differently: those who ask for that do not want the others' cache replaced each time
        if (process.execArgv.length > 0 || (process.env['NODE_OPTIONS'] ?? '') !== '') return;
        this.code = undefined;
        this.#commands = [];
      }
      const isNew = command !== undefined && !this.#commands.includes(command);
      if (this.code !== undefined && !isNew) return;
      const head: Head = { key: this.#key, commands: isNew ? [...this.#commands, command] : this.#commands };
      writeTrusted(this.#file, pack(head, script.createCachedData()), this.#options);
    } catch {
      // the next run may have more luck
    }
  }
}

/** Where the cache is for this user and environment. */
export function codeCacheDirectory(packageRoot: string): string {
  const uid = process.getuid?.() ?? 0;
  return placesOf({ env: process.env, uid, home: homedir(), packageRoot }).cache;
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
    const bytes = Buffer.allocUnsafeSlow(stats.size);
    if (readSync(fd, bytes, 0, bytes.length, 0) !== bytes.length) return undefined;
    return unpack(bytes);
  } finally {
    closeSync(fd);
  }
}

function unpack(bytes: Buffer): { readonly head: Head; readonly code: Buffer } | undefined {
  if (bytes.length < fixedBytes || bytes.length % 4 !== 0 || bytes.toString('latin1', 0, 4) !== magic) return undefined;
  const [one, other] = checksum(bytes);
  if (one !== bytes.readUInt32LE(4) || other !== bytes.readUInt32LE(8)) return undefined;
  const end = fixedBytes + bytes.readUInt32LE(12);
  return { head: JSON.parse(bytes.toString('utf8', fixedBytes, end)) as Head, code: bytes.subarray(end) };
}

function pack(head: Head, code: Buffer): Buffer {
  const text = JSON.stringify(head);
  const blanks = alignment - ((fixedBytes + Buffer.byteLength(text)) % alignment);
  const padded = Buffer.from(text + ' '.repeat(blanks));
  const tail = Buffer.alloc((4 - (code.length % 4)) % 4);
  const bytes = Buffer.concat([Buffer.alloc(fixedBytes), padded, code, tail]);
  bytes.write(magic, 0, 'latin1');
  bytes.writeUInt32LE(padded.length, 12);
  const [one, other] = checksum(bytes);
  bytes.writeUInt32LE(one, 4);
  bytes.writeUInt32LE(other, 8);
  return bytes;
}

/**
 * Over everything behind itself. Every step can be undone, so a change in one word always shows; any other goes unseen once in 2^64 times.
 * (zlib's CRC-32 says no more, and loading zlib costs 2 ms.)
 */
function checksum(bytes: Buffer): readonly [number, number] {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  let one = 0x811c9dc5 ^ bytes.length;
  let other = 0x9e3779b9;
  for (let index = 3; index < words.length; index++) {
    one = Math.imul(one ^ (words[index] ?? 0), 0x01000193);
    other = Math.imul((other << 13) | (other >>> 19), 5) + one;
  }
  return [one >>> 0, other >>> 0];
}

/** At once or not at all, and never into a directory that others can write. */
function writeTrusted(file: string, bytes: Buffer, { directory, uid }: CodeCacheOptions): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
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
