/** Files that qrun writes for the switch: small, and of JSON. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';

const maxBytes = 4 * 1024 * 1024;

/** Undefined: no such regular file, or too long a one. */
export function readSmall(file: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const found = fstatSync(fd);
    if (!found.isFile() || found.size > maxBytes) return undefined;
    const buffer = Buffer.alloc(found.size);
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Another text whenever the file is another one, or has changed. */
export function signatureOf(file: string): string {
  try {
    const found = statSync(file, { bigint: true, throwIfNoEntry: false });
    return found === undefined ? file : `${file} ${found.ino} ${found.size} ${found.mtimeNs}`;
  } catch {
    return file;
  }
}

/** Undefined: it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
