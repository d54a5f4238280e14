/**
 * Files of state and files of the user's. Written so that a reader, a kill or a power cut sees the old text or the new one and never half of
 * it; read so that a planted link, FIFO or device is refused instead of followed or waited for.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError, type ErrorCode } from '../errors.ts';
import { failureOf } from './failure.ts';

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

let drafts = 0;

/**
 * Replaces the file as a whole: old text or new text, whatever happens. `mode` defaults to 0600.
 * @throws QrunError `host-failed` (no space, read-only, too many files), `permission`
 */
export function writeDurable(file: string, text: string, options: { readonly mode?: number } = {}): void {
  const directory = path.dirname(file);
  const draft = path.join(directory, `.${path.basename(file)}.${process.pid}-${process.hrtime.bigint()}-${drafts++}`);
  try {
    writeNew(draft, text, options);
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw failureOf(file, error, 'cannot write it');
  }
  syncDirectory(directory);
}

/** Makes the file with its whole text; there must be none. Gives false if there is one. */
export function createExclusive(file: string, text: string, options: { readonly mode?: number } = {}): boolean {
  try {
    writeNew(file, text, options);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw failureOf(file, error, 'cannot create it');
  }
}

function writeNew(file: string, text: string, { mode = 0o600 }: { readonly mode?: number }): void {
  const fd = openSync(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeAll(fd, text);
    if (mode !== 0o600) fchmodSync(fd, mode);
    fsyncSync(fd);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}

/** A name survives a power cut only when its directory was synced too. */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw failureOf(directory, error, 'cannot sync it'); // some file systems cannot sync a directory
  } finally {
    closeSync(fd);
  }
}

/** Appends one line with one write, so that lines of several writers do not mix. */
export function appendLine(file: string, line: string): void {
  try {
    const fd = openSync(file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o600);
    try {
      if (!fstatSync(fd).isFile()) throw notRegular(file, fstatSync(fd), 'unsafe-state');
      writeSync(fd, `${line}\n`);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw errnoOf(error) === 'ELOOP' ? symlinked(file, 'unsafe-state') : failureOf(file, error, 'cannot write to it');
  }
}

export interface OpenOptions {
  /** `unsafe-file` (a file of the user's, exit 2) unless it is a file of state. */
  readonly code?: ErrorCode;
  /** Node's open flags besides O_NOFOLLOW and O_NONBLOCK; default O_RDONLY. */
  readonly flags?: number;
  readonly mode?: number;
}

/**
 * Opens a regular file and nothing else: no link in the last component, no FIFO (never waits), no device, no directory.
 * Undefined: there is no such file. The descriptor is close-on-exec, as all of Node's are.
 * @throws QrunError `unsafe-file` (or `code`), `permission`, `host-failed`
 */
export function openRegular(file: string, options: OpenOptions = {}): { fd: number; stat: Stats } | undefined {
  const { code = 'unsafe-file', flags = O_RDONLY, mode = 0o600 } = options;
  try {
    // a device can act on a mere open: look before
    const before = lstatSync(file, { throwIfNoEntry: false });
    if (before === undefined && (flags & O_CREAT) === 0) return undefined;
    if (before?.isFile() === false) throw notRegular(file, before, code);
    const fd = openSync(file, flags | O_NOFOLLOW | O_NONBLOCK, mode);
    const stat = fstatSync(fd);
    if (stat.isFile()) return { fd, stat };
    closeSync(fd);
    throw notRegular(file, stat, code);
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') throw symlinked(file, code);
    if (errnoOf(error) === 'ENOENT' && (flags & O_CREAT) === 0) return undefined;
    throw failureOf(file, error, 'cannot open it');
  }
}

export interface ReadOptions {
  readonly maxBytes: number;
  readonly code?: ErrorCode;
}

/** The whole of a regular file, with what fstat said of the very file that was read. Undefined: there is no such file. */
export function readOwned(
  file: string,
  options: ReadOptions,
): { bytes: Buffer; text: string; stat: Stats } | undefined {
  const opened = openRegular(file, options);
  if (opened === undefined) return undefined;
  try {
    if (opened.stat.size > options.maxBytes) throw tooLarge(file, options);
    const bytes = readAll(opened.fd, options.maxBytes + 1);
    if (bytes.length > options.maxBytes) throw tooLarge(file, options);
    return { bytes, text: bytes.toString('utf8'), stat: opened.stat };
  } catch (error) {
    throw failureOf(file, error, 'cannot read it');
  } finally {
    closeSync(opened.fd);
  }
}

function readAll(fd: number, limit: number): Buffer {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total < limit) {
    const chunk = Buffer.alloc(Math.min(64 * 1024, limit - total));
    const length = readSync(fd, chunk);
    if (length === 0) break;
    chunks.push(chunk.subarray(0, length));
    total += length;
  }
  return Buffer.concat(chunks);
}

function tooLarge(file: string, { maxBytes, code = 'unsafe-file' }: ReadOptions): QrunError {
  return new QrunError(code, `${file}: larger than ${Math.floor(maxBytes / 1024)} KiB`);
}

function symlinked(file: string, code: ErrorCode): QrunError {
  return new QrunError(code, `${file} is a symbolic link, and is not followed`, { hint: `ls -l ${file}` });
}

function notRegular(file: string, stat: Stats, code: ErrorCode): QrunError {
  if (stat.isSymbolicLink()) return symlinked(file, code);
  return new QrunError(code, `${file} is ${kindOf(stat)}, not a regular file`, { hint: `ls -ld ${file}` });
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a FIFO';
  if (stat.isSocket()) return 'a socket';
  return 'a device';
}
