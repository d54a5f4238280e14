/**
 * `qrun rm`: forgets a VM. Its profile is the user's own and stays; disks that were made for it and its UEFI variables stay unless asked for; disks that
 * the user brought are never touched.
 */
import { closeSync, existsSync, lstatSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { throwIfLeft } from '../journal/walk.ts';
import { forgetOnNetworks } from '../networks/forget-vm.ts';
import { vmFiles, type VmFiles } from '../plan/vm-files.ts';
import { freeLeases } from '../resources/mac-lease.ts';
import { finishLocked, finishSetAside } from './end.ts';
import { removeMadeDisks } from './made-disks.ts';
import type { LaunchContext } from './prepare.ts';
import { lockVm } from './vm-lock.ts';
import { requireKnown } from './vms.ts';

/** @throws QrunError `in-use` when it runs, `unknown-name`, `left-behind` */
export async function forgetVm(
  name: string,
  disks: boolean,
  context: LaunchContext,
): Promise<{ readonly removed: readonly string[] }> {
  const vm = requireKnown(context, name);
  const files = vmFiles(context.places, vm);
  if (!existsSync(files.dir)) {
    // it never ran, but a forward may have named it
    await forgetOnNetworks(vm, context);
    return { removed: [] };
  }
  const lock = await lockVm(vm, context);
  try {
    // first: a disk that is in use keeps everything
    const gone = disks ? [...removeMadeDisks(files), ...remove([files.uefiVars])] : [];
    throwIfLeft(vm, [...(await finishLocked(vm, context)), ...(await finishSetAside(vm, context))]);
    await freeLeases({ places: context.places, vm });
    await forgetOnNetworks(vm, context);
    const removed = [...gone, ...removeOwn(files)];
    removeIfEmpty(files.dir);
    return { removed };
  } finally {
    closeSync(lock);
  }
}

/** What qrun itself writes there; a disk that was made there is not among it. */
function removeOwn(files: VmFiles): string[] {
  const logs = [files.events, files.qemuLog, files.consoleLog].flatMap((file) => [file, `${file}.1`]);
  const keys = [files.knownHosts, `${files.knownHosts}.old`];
  return remove([...logs, ...keys, files.last, files.run, files.ending, files.eventsInput, files.journal]);
}

function remove(files: readonly string[]): string[] {
  const there = files.filter((file) => lstatSync(file, { throwIfNoEntry: false })?.isFile() === true);
  for (const file of there) rmSync(file, { force: true });
  return there;
}

function removeIfEmpty(directory: string): void {
  try {
    if (readdirSync(directory).length === 0) rmdirSync(directory);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
