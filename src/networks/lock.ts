/** A network's lock: held by whoever takes it up or down, joins or leaves it. Short, but for a start. */
import { closeSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { NetworkName } from '../network/network.ts';
import type { NetworkFiles } from '../plan/network-files.ts';
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
      hint: `fuser -v ${files.lock}`,
    });
  }
  try {
    return await act();
  } finally {
    closeSync(fd);
  }
}

/** Whether no VM is on it: each holds a share of the lock through its QEMU. Under the network's lock. */
export function isUnused(files: NetworkFiles): boolean {
  const fd = tryLockFile(files.users);
  if (fd === undefined) return false;
  closeSync(fd);
  return true;
}
