/** The lock file of a port: in root's own directory, and its taker's alone. */
import { closeSync, constants, fchmodSync, fchownSync, lstatSync, renameSync, rmSync, writeSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { takerOf, type HostNetwork, type HostPort } from '../network/host-network.ts';
import { failureOf } from '../system/failure.ts';
import { tryLock } from '../system/flock.ts';
import { openRegular, readOwned } from '../system/regular-file.ts';
import { tryPort } from './port-lease.ts';

export interface LockRights {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export function rightsOfLock(port: HostPort, network: Pick<HostNetwork, 'user' | 'group'>): LockRights {
  const { user = 0, group } = takerOf(port, network);
  return { uid: user, gid: group ?? 0, mode: group === undefined ? 0o600 : 0o660 };
}

const isOf = ({ uid, gid }: LockRights, file: string): boolean => {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  return stat === undefined || (stat.uid === uid && stat.gid === gid);
};

/** There, and for whom it is. One that somebody has stays the file that it is. */
export function makePortLock(file: string, rights: LockRights): void {
  if (!isOf(rights, file)) {
    const before = tryPort(file);
    if (before !== undefined) {
      try {
        closeSync(renewPortLock(file, rights));
      } finally {
        closeSync(before);
      }
      return;
    }
  }
  const opened = openRegular(file, { code: 'unsafe-state', flags: constants.O_RDWR | constants.O_CREAT });
  if (opened === undefined) throw new QrunError('host-failed', `${file}: the lock file vanished while it was opened`);
  try {
    fchownSync(opened.fd, rights.uid, rights.gid);
    fchmodSync(opened.fd, rights.mode);
  } finally {
    closeSync(opened.fd);
  }
}

/**
 * Locks a port that is to have another taker. Whoever could open its file may have it open still, and could lock it for ever: another file takes its
 * place, which is locked when it appears there.
 * @returns what holds it; undefined: somebody has the port
 */
export function lockPortFor(file: string, rights: LockRights): number | undefined {
  const before = tryPort(file);
  if (before === undefined || isOf(rights, file)) return before;
  try {
    return renewPortLock(file, rights);
  } finally {
    closeSync(before);
  }
}

function renewPortLock(file: string, { uid, gid, mode }: LockRights): number {
  const text = wordsIn(file);
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  const { O_RDWR, O_CREAT, O_EXCL } = constants;
  const opened = openRegular(fresh, { code: 'unsafe-state', flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600 });
  if (opened === undefined) throw new QrunError('host-failed', `${fresh}: the lock file vanished while it was made`);
  const { fd } = opened;
  try {
    writeSync(fd, text);
    fchownSync(fd, uid, gid);
    fchmodSync(fd, mode);
    if (!tryLock(fd)) throw new QrunError('host-failed', `${fresh}: somebody else has locked it`);
    renameSync(fresh, file);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw failureOf(fresh, error, 'cannot put it in place');
  }
}

/** Who had it. Whoever may take the port writes what he likes into its file: what cannot be that is left out, and is in nobody's way. */
function wordsIn(file: string): Buffer {
  try {
    return readOwned(file, { maxBytes: 4096, code: 'unsafe-state' })?.bytes ?? Buffer.alloc(0);
  } catch (error) {
    if (error instanceof QrunError) return Buffer.alloc(0);
    throw error;
  }
}
