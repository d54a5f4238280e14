/** A network's lock: held by whoever takes it up or down, joins or leaves it. Short, but for a start. */
import { closeSync, existsSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { NetworkName } from '../network/network.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
import { shellWord } from '../shell-word.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { tryLockFile, waitLockFile } from '../system/flock.ts';
import type { NetworkContext } from './context.ts';

const patienceMs = 30_000;

/** @throws QrunError `in-use` */
export async function withNetworkLock<T>(
  { name, files }: { readonly name: NetworkName; readonly files: NetworkFiles },
  { system }: Pick<NetworkContext, 'system'>,
  act: () => Promise<T>,
): Promise<T> {
  ensurePrivateDirectory(path.dirname(files.lock), { uid: system.uid });
  const fd = await waitLockFile(files.lock, patienceMs);
  if (fd === undefined) {
    throw new QrunError('in-use', `network ${name}: another qrun has been at it for ${patienceMs / 1000} s`, {
      hint: `fuser -v ${shellWord(files.lock)}`,
    });
  }
  try {
    return await act();
  } finally {
    closeSync(fd);
  }
}

/** What networks of the host's have beside one another (addresses, ports) is looked at and taken under it. Taken after a network's own lock. @throws QrunError `in-use` */
export async function withHostLock<T>(
  context: Pick<NetworkContext, 'system' | 'places'>,
  act: () => Promise<T>,
): Promise<T> {
  const fd = await takeHostLock(context);
  try {
    return await act();
  } finally {
    closeSync(fd);
  }
}

/** @returns its descriptor, which has it until it is closed @throws QrunError `in-use` */
export async function takeHostLock({ system, places }: Pick<NetworkContext, 'system' | 'places'>): Promise<number> {
  const file = path.join(places.state, 'locks', 'host-networks');
  ensurePrivateDirectory(path.dirname(file), { uid: system.uid });
  const fd = await waitLockFile(file, patienceMs);
  if (fd !== undefined) return fd;
  throw new QrunError('in-use', `another qrun has been at the networks of this host for ${patienceMs / 1000} s`, {
    hint: `fuser -v ${shellWord(file)}`,
  });
}

/** The same without waiting. Undefined: somebody else has it. */
export async function tryNetworkLock<T>(
  { files }: { readonly name: NetworkName; readonly files: NetworkFiles },
  { system }: Pick<NetworkContext, 'system'>,
  act: () => Promise<T>,
): Promise<T | undefined> {
  ensurePrivateDirectory(path.dirname(files.lock), { uid: system.uid });
  const fd = tryLockFile(files.lock);
  if (fd === undefined) return undefined;
  try {
    return await act();
  } finally {
    closeSync(fd);
  }
}

/** Somebody is at work on it. */
export function isLocked({ lock }: Pick<NetworkFiles, 'lock'>): boolean {
  return existsSync(lock) && !canLock(lock, 'shared');
}

/**
 * Whether no VM is on it: each holds a share of the lock through its QEMU. Under the network's lock, so that none comes meanwhile. The watcher has it
 * exclusively for a moment when the last share is gone: what can be had neither alone nor shared is shared by nobody. (The kernel tells who holds what in
 * /proc/locks too; but it waits for all processors before it does, ten times as long as the lock takes.)
 */
export function isUnused({ users }: Pick<NetworkFiles, 'users'>): boolean {
  // no VM ever was
  if (!existsSync(users)) return true;
  return canLock(users, 'exclusive') || !canLock(users, 'shared') || canLock(users, 'exclusive');
}

function canLock(file: string, how: 'exclusive' | 'shared'): boolean {
  const fd = tryLockFile(file, how);
  if (fd !== undefined) closeSync(fd);
  return fd !== undefined;
}
