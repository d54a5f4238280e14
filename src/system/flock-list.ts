/**
 * Who holds a flock, by the kernel's own list: no program is started for it. The list leaves out whose pid has no meaning in this pid namespace, and file
 * systems may name their files otherwise there than stat does. So it is believed only in the first namespace, and where it shows a lock that is known to
 * be held. https://man7.org/linux/man-pages/man5/proc_locks.5.html
 */
import { closeSync, lstatSync, openSync, readSync, readlinkSync } from 'node:fs';

/** Of the pid namespace that the kernel begins with: linux/proc_ns.h */
const firstNamespace = 'pid:[4026531836]';

/**
 * Whether anybody shares that file's lock. Undefined: cannot be told, take a lock to see it.
 * @param witness a file beside it whose lock is held
 * @param list as the kernel shows it, in one piece
 */
export function isShared(file: string, witness: string, list: string | undefined = readList()): boolean | undefined {
  if (list === undefined || !isFirst()) return undefined;
  const own = keyOf(witness);
  const key = keyOf(file);
  if (own === undefined || key === undefined) return undefined;
  const rows = parseFlocks(list);
  if (!rows.some((row) => row.key === own)) return undefined;
  return rows.some((row) => row.key === key && row.shared);
}

interface Flock {
  /** Device and inode, as the list has them. */
  readonly key: string;
  readonly shared: boolean;
}

/** Rows of `ID: FLOCK ADVISORY READ|WRITE PID MAJOR:MINOR:INODE START END`, numbers of the device in hex; `ID: ->` is one who waits. */
export function parseFlocks(text: string): Flock[] {
  return text.split('\n').flatMap((line): Flock[] => {
    const [, type, , how, , key = ''] = line.trim().split(/\s+/);
    return type === 'FLOCK' ? [{ key, shared: how === 'READ' }] : [];
  });
}

/** In one piece: between two reads of it rows move, and one could be missed. */
function readList(): string | undefined {
  try {
    const fd = openSync('/proc/locks', 'r');
    try {
      const bytes = Buffer.allocUnsafe(64 * 1024);
      const length = readSync(fd, bytes, 0, bytes.length, null);
      return readSync(fd, bytes, length, bytes.length - length, null) === 0
        ? bytes.toString('latin1', 0, length)
        : undefined;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

function isFirst(): boolean {
  try {
    return readlinkSync('/proc/self/ns/pid') === firstNamespace;
  } catch {
    return false;
  }
}

/** Undefined: it is no file that is locked. */
function keyOf(file: string): string | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return 'none';
  if (!stat.isFile()) return undefined;
  // as Linux packs them: linux/kdev_t.h
  const major = (stat.dev >>> 8) & 0xfff;
  const minor = (stat.dev & 0xff) | ((stat.dev >>> 12) & 0xfff00);
  const hex = (number: number): string => number.toString(16).padStart(2, '0');
  return `${hex(major)}:${hex(minor)}:${stat.ino}`;
}
