/** Reading files that somebody else may have had a hand in: a planted link, FIFO or device is refused instead of followed or waited for. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs';
import { errnoOf, QrunError, type ErrorCode } from '../errors.ts';
import { shellWord } from '../shell-word.ts';
import { failureOf } from './failure.ts';

const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

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
    if ((flags & O_CREAT) === 0 && isAbsence(error)) return undefined;
    throw failureOf(file, error, 'cannot open it');
  }
}

/** ENOTDIR: what would be its directory is a file. */
const isAbsence = (error: unknown): boolean => errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';

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
    const bytes = readAll(opened.fd, options.maxBytes + 1, opened.stat.size);
    if (bytes.length > options.maxBytes) throw tooLarge(file, options);
    return { bytes, text: bytes.toString('utf8'), stat: opened.stat };
  } catch (error) {
    throw failureOf(file, error, 'cannot read it');
  } finally {
    closeSync(opened.fd);
  }
}

/** `expected` bytes and the end in two reads; a file that grows meanwhile, or says 0 as those of /proc do, takes more. */
function readAll(fd: number, limit: number, expected: number): Buffer {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total < limit) {
    const chunk = Buffer.alloc(Math.min(limit - total, Math.max(512, expected - total)));
    const length = readSync(fd, chunk);
    if (length === 0) break;
    chunks.push(chunk.subarray(0, length));
    total += length;
  }
  return Buffer.concat(chunks);
}

/** The last bytes of a file of state, from a line's beginning on; empty if there is none. */
export function readTail(file: string, maxBytes: number): string {
  const opened = openRegular(file, { code: 'unsafe-state' });
  if (opened === undefined) return '';
  try {
    const start = Math.max(0, opened.stat.size - maxBytes);
    const bytes = Buffer.alloc(Math.min(maxBytes, opened.stat.size));
    const text = bytes.subarray(0, readSync(opened.fd, bytes, 0, bytes.length, start)).toString('utf8');
    return start === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    closeSync(opened.fd);
  }
}

function tooLarge(file: string, { maxBytes, code = 'unsafe-file' }: ReadOptions): QrunError {
  return new QrunError(code, `${file}: larger than ${Math.floor(maxBytes / 1024)} KiB`);
}

function symlinked(file: string, code: ErrorCode): QrunError {
  return new QrunError(code, `${file} is a symbolic link, and is not followed`, { hint: `ls -l ${shellWord(file)}` });
}

function notRegular(file: string, stat: Stats, code: ErrorCode): QrunError {
  if (stat.isSymbolicLink()) return symlinked(file, code);
  return new QrunError(code, `${file} is ${kindOf(stat)}, not a regular file`, { hint: `ls -ld ${shellWord(file)}` });
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a FIFO';
  if (stat.isSocket()) return 'a socket';
  return 'a device';
}
