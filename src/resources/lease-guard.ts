/**
 * One allocation at a time. The outer lock is a flock, which the kernel takes back from whoever dies; inside it proper-lockfile marks the
 * read-modify-write of the registry. Whoever holds the flock knows that a lock directory which is already there is a dead one's, so
 * nobody ever waits for it to grow stale. Two holders of a lock that was lost (a suspended machine) still cannot get one MAC: the claim itself is exclusive.
 */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { Places } from '../places.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { failureOf } from '../system/failure.ts';
import { withLock } from '../system/flock.ts';
import { claimsDir } from './mac-claim.ts';

/** An allocation takes milliseconds; so long a wait means that hundreds are at it, or that one hangs on its disk. */
const guardTimeoutMs = 120_000;

export interface Section {
  /** Called before each write. @throws QrunError `host-failed` when the lock was lost meanwhile */
  readonly check: () => void;
}

/** Runs `act` as the only one who changes leases in this STATE. @throws QrunError `in-use`, `unsafe-state` */
export async function withLeaseGuard<T>(places: Places, act: (section: Section) => T | Promise<T>): Promise<T> {
  const uid = process.getuid?.() ?? 0;
  const directory = path.join(places.state, 'leases');
  ensurePrivateDirectory(directory, { uid });
  ensurePrivateDirectory(claimsDir(places), { uid });
  return await withLock(path.join(directory, 'guard'), guardTimeoutMs, async () => await marked(directory, act));
}

async function marked<T>(directory: string, act: (section: Section) => T | Promise<T>): Promise<T> {
  const { lock } = await import('proper-lockfile');
  const lockfilePath = path.join(directory, 'registry.lock');
  rmSync(lockfilePath, { recursive: true, force: true });
  let lost: Error | undefined;
  const onCompromised = (error: Error): void => void (lost = error);
  const unlock = await lock(directory, { lockfilePath, realpath: false, retries: 0, onCompromised }).catch(
    (error: unknown) => {
      throw failureOf(lockfilePath, error, 'cannot make it');
    },
  );
  const check = (): void => {
    if (lost !== undefined)
      throw new QrunError('host-failed', `${lockfilePath} was lost`, { causes: [lost.message], hint: 'try again' });
  };
  try {
    return await act({ check });
  } finally {
    if (lost === undefined) await unlock().catch(() => undefined);
  }
}
