/** The VM lock, for whoever changes something of a VM that does not run. */
import path from 'node:path';
import { vmFiles } from '../plan/vm-files.ts';
import type { VmName } from '../names.ts';
import { delay } from '../system/delay.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { tryLockFile } from '../system/flock.ts';
import { alreadyRunning } from './errors.ts';
import { findRunningPid } from './liveness.ts';
import type { LaunchContext } from './prepare.ts';

const lookEveryMs = 20;
/** A start or a release holds the lock for a moment without a QEMU; only a hook takes longer. */
const usualPatienceMs = 10_000;

/** @returns the descriptor, to be closed by the caller @throws QrunError `in-use` at once when QEMU holds it, else after a while */
export async function lockVm(vm: VmName, context: LaunchContext): Promise<number> {
  const lock = await lockIfDead(vm, context);
  if (lock === undefined) throw alreadyRunning(vm, vmFiles(context.places, vm));
  return lock;
}

/** The same; undefined when QEMU holds it, or a start or release does not let it go. */
export async function lockIfDead(
  vm: VmName,
  { places, system }: LaunchContext,
  patienceMs = usualPatienceMs,
): Promise<number | undefined> {
  const files = vmFiles(places, vm);
  ensurePrivateDirectory(path.dirname(files.lock), { uid: system.uid });
  for (const end = performance.now() + patienceMs; ;) {
    const lock = tryLockFile(files.lock);
    if (lock !== undefined) return lock;
    if (performance.now() >= end || findRunningPid(files) !== undefined) return undefined;
    await delay(lookEveryMs);
  }
}
