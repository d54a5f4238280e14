/** A file with a guest's data concerns nobody but who runs the guest, whatever the umask. */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync } from 'node:fs';

/**
 * Mode 0600, and `owner`'s if there is one. By descriptor: the directory may be another user's, who could swap the name meanwhile.
 * @returns its inode
 */
export function makePrivate(file: string, owner: { readonly uid: number; readonly gid: number } | undefined): number {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fchmodSync(fd, 0o600);
    if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
    return fstatSync(fd).ino;
  } finally {
    closeSync(fd);
  }
}
