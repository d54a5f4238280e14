/** Files that qemu-bridge-helper reads, with the eyes of the user that QEMU runs as. Links are followed, as the helper does. */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync, statSync, type Stats } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { ConfText } from './bridge-conf.ts';
import type { FileAccess } from './file-access.ts';

/** More than this is no list of bridges. */
const mostBytes = 1024 * 1024;

/** @param access of QEMU's user: where root drops to another, the mode bits decide for that one, its supplementary groups too */
export function confReader(access: Pick<FileAccess, 'mayRead'>): (file: string) => ConfText {
  return (file) => {
    const found = readConf(file);
    return 'text' in found && !access.mayRead(file) ? { missing: 'unreadable' } : found;
  };
}

function readConf(file: string): ConfText {
  try {
    // a device can act on a mere open, and a FIFO would be waited for
    const before = statSync(file);
    if (!before.isFile()) return isEmpty(file, before) ? { text: '' } : { missing: 'strange' };
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return readOpen(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const errno = errnoOf(error);
    return { missing: errno === 'EACCES' || errno === 'EPERM' ? 'unreadable' : 'absent' };
  }
}

/** The helper opens a directory, and reads nothing. A link to /dev/null is how some empty a file. */
const isEmpty = (file: string, stat: Stats): boolean =>
  stat.isDirectory() || (stat.isCharacterDevice() && realpathSync(file) === '/dev/null');

function readOpen(fd: number): ConfText {
  const stat = fstatSync(fd);
  if (!stat.isFile() || stat.size > mostBytes) return { missing: 'strange' };
  const bytes = Buffer.alloc(mostBytes + 1);
  let length = 0;
  for (let got = -1; got !== 0 && length < bytes.length; length += got)
    got = readSync(fd, bytes, length, bytes.length - length, null);
  return length > mostBytes ? { missing: 'strange' } : { text: bytes.toString('latin1', 0, length) };
}
