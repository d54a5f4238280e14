/**
 * Files of state and files of the user's. Written so that a reader, a kill or a power cut sees the old text or the new one and never half of
 * it; read so that a planted link, FIFO or device is refused instead of followed or waited for.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.ts';
import { failureOf } from './failure.ts';

export { openRegular, readOwned, readTail } from './regular-file.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

let drafts = 0;

export interface WriteOptions {
  /** Default 0600. */
  readonly mode?: number;
}

/**
 * Replaces the file as a whole: old text or new text, whatever happens, a power cut too.
 * @throws QrunError `host-failed` (no space, read-only, too many files), `permission`
 */
export function writeDurable(file: string, text: string, options: WriteOptions = {}): void {
  replace(file, text, { ...options, durable: true });
  syncDirectory(path.dirname(file));
}

/** The same for what need not outlive a power cut: a kill leaves old or new text too, but nothing waits for the disk. */
export function writeQuick(file: string, text: string, options: WriteOptions = {}): void {
  replace(file, text, { ...options, durable: false });
}

type FullOptions = WriteOptions & { readonly durable: boolean };

const draftOf = (file: string): string =>
  path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}-${process.hrtime.bigint()}-${drafts++}`);

export interface StagedFiles {
  /** Each replaces the file that it is for; that needs no space. */
  readonly keep: () => void;
  /** As if nothing had been. */
  readonly drop: () => void;
}

/** Several files that belong together: all are written beside the old ones, or none is. As quick as `writeQuick`. @throws QrunError as `writeDurable` */
export function stageFiles(files: readonly { readonly path: string; readonly content: string }[]): StagedFiles {
  const staged: { readonly draft: string; readonly file: string }[] = [];
  const drop = (): void => {
    for (const { draft } of staged.splice(0)) rmSync(draft, { force: true });
  };
  const attempt = (file: string, act: () => void): void => {
    try {
      act();
    } catch (error) {
      drop();
      throw failureOf(file, error, 'cannot write it');
    }
  };
  for (const { path: file, content } of files) {
    const draft = draftOf(file);
    attempt(file, () => writeNew(draft, content, { durable: false }));
    staged.push({ draft, file });
  }
  const keep = (): void => {
    for (const { draft, file } of [...staged]) attempt(file, () => renameSync(draft, file));
    staged.splice(0);
  };
  return { keep, drop };
}

function replace(file: string, text: string, options: FullOptions): void {
  const draft = draftOf(file);
  try {
    writeNew(draft, text, options);
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw failureOf(file, error, 'cannot write it');
  }
}

/** Makes the file with its whole text; there must be none. Gives false if there is one. */
export function createExclusive(
  file: string,
  text: string,
  options: WriteOptions & { readonly durable?: boolean } = {},
): boolean {
  try {
    writeNew(file, text, { durable: true, ...options });
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw failureOf(file, error, 'cannot create it');
  }
}

function writeNew(file: string, text: string, { mode = 0o600, durable }: FullOptions): void {
  const fd = openSync(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeAll(fd, text);
    if (mode !== 0o600) fchmodSync(fd, mode);
    if (durable) fsyncSync(fd);
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

/** Removes a unix socket, and nothing that is not one. */
export function removeSocket(file: string): void {
  if (lstatSync(file, { throwIfNoEntry: false })?.isSocket() === true) rmSync(file, { force: true });
}
