/** Answers that are kept between runs, a JSON file each: believed only where nobody but this user can have written them. A cache that cannot be read or written costs time and nothing else. */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import path from 'node:path';
import { writeQuick } from './files.ts';
import { makeMissingDirectory } from './missing-directory.ts';

const maxCacheBytes = 4 * 1024 * 1024;

/** Undefined: there is none, it is damaged, or somebody else could have written it. Never throws. */
export function readCacheFile(file: string): unknown {
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return isOwn(fstatSync(fd)) ? (JSON.parse(readFileSync(fd, 'utf8')) as unknown) : undefined;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/** Never throws. */
export function writeCacheFile(file: string, value: unknown): void {
  try {
    makeMissingDirectory(path.dirname(file), 0o700);
    writeQuick(file, JSON.stringify(value));
  } catch {
    // asked again next time
  }
}

function isOwn(stat: Stats): boolean {
  return stat.isFile() && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0 && stat.size <= maxCacheBytes;
}
