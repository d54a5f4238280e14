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
import { crc32 } from 'node:zlib';
import { placesOf } from './places.ts';

const magic = 'qrc1';
/** magic, CRC-32 of all that follows, length of the head: then the head (JSON, padded with blanks), then the code. */
const fixedBytes = 12;
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
    const name = `code-${process.version}-${process.arch}-${options.build.slice(0, 12)}.bin`;
    this.#file = path.join(options.directory, name);
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
  if (bytes.length < fixedBytes || bytes.toString('latin1', 0, 4) !== magic) return undefined;
  if (crc32(bytes.subarray(8)) !== bytes.readUInt32LE(4)) return undefined;
  const end = fixedBytes + bytes.readUInt32LE(8);
  return { head: JSON.parse(bytes.toString('utf8', fixedBytes, end)) as Head, code: bytes.subarray(end) };
}

function pack(head: Head, code: Buffer): Buffer {
  const text = JSON.stringify(head);
  const blanks = alignment - ((fixedBytes + Buffer.byteLength(text)) % alignment);
  const padded = Buffer.from(text + ' '.repeat(blanks));
  const bytes = Buffer.concat([Buffer.alloc(fixedBytes), padded, code]);
  bytes.write(magic, 0, 'latin1');
  bytes.writeUInt32LE(padded.length, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
  return bytes;
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
