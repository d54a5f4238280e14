/** Whether a VM runs, proven by its lock: QEMU holds it open for as long as it lives. */
import path from 'node:path';
import { findHolders, isAlive, readArguments, readDescriptor } from '../system/processes.ts';
import type { VmFiles } from '../plan/vm-files.ts';
import { orNone } from '../errors.ts';
import { readRun, type RunRecord } from './run-record.ts';

/** QEMU's pid: from the run record when that process still is the one, else by whoever has the lock file open. Undefined: not running. */
export function findRunningPid(files: VmFiles): number | undefined {
  const record = readQuietly(files);
  if (record?.pid !== undefined && record.startTime !== undefined) {
    if (isAlive({ pid: record.pid, startTime: record.startTime, bootId: record.bootId })) return record.pid;
  }
  return findHolders(files.lock).find((pid) => isQemu(pid, files));
}

/**
 * A start, a release, and what a script of `show --shell` runs have the lock open too, but only QEMU has the event journal as its standard output and is no
 * shell. The journal is known by its name: it may have been removed, and the way to it may go over links.
 */
function isQemu(pid: number, { events }: VmFiles): boolean {
  const output = path.basename(readDescriptor(pid, 1) ?? '').replace(/ \(deleted\)$/, '');
  const [program = ''] = readArguments(pid);
  return output === path.basename(events) && !/(^|\/)(sh|dash|bash|node|flock)$/.test(program);
}

/** A record that cannot be read tells nothing; the lock does. */
const readQuietly = (files: VmFiles): RunRecord | undefined => orNone(() => readRun(files));
