/** The disks that runs of a VM have made: what `rm --disks` may remove, and nothing else. */
import { lstatSync, rmSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import type { StepRecord } from '../journal/journal.ts';
import type { Step } from '../plan/step.ts';
import type { VmFiles } from '../plan/vm-files.ts';
import { writeDurable } from '../system/files.ts';
import { findHolders } from '../system/processes.ts';
import { readStateFile } from '../system/state-files.ts';

interface MadeDisk {
  readonly file: string;
  /** A file of that name with another inode is somebody else's. */
  readonly inode: number;
}

/** Adds what this run made to last. */
export function rememberMadeDisks(
  files: VmFiles,
  steps: readonly Step[],
  records: ReadonlyMap<string, StepRecord>,
): void {
  const made = steps.flatMap((step): MadeDisk[] => {
    const record = records.get(step.id);
    if (step.kind !== 'disk' || step.temporary || record?.['made'] !== true) return [];
    return [{ file: step.file, inode: Number(record['inode']) }];
  });
  if (made.length === 0) return;
  const names = new Set(made.map(({ file }) => file));
  const others = readMadeDisks(files).filter(({ file }) => !names.has(file));
  writeDurable(files.disks, `${JSON.stringify({ v: 1, made: [...others, ...made] })}\n`);
}

/** @returns the files that were removed @throws QrunError `in-use` before anything is removed, when a process has one open */
export function removeMadeDisks(files: VmFiles): string[] {
  const there = readMadeDisks(files).filter(isStillOurs);
  for (const { file } of there) {
    const [holder] = findHolders(file);
    if (holder !== undefined)
      throw new QrunError('in-use', `${file} is in use by process ${holder}`, { hint: 'qrun ps' });
  }
  for (const { file } of there) rmSync(file, { force: true });
  rmSync(files.disks, { force: true });
  return there.map(({ file }) => file);
}

function isStillOurs({ file, inode }: MadeDisk): boolean {
  const found = lstatSync(file, { throwIfNoEntry: false });
  return found?.isFile() === true && found.ino === inode;
}

function readMadeDisks(files: VmFiles): MadeDisk[] {
  const read = readStateFile(files.disks);
  return read.state === 'read' && Array.isArray(read.value['made']) ? (read.value['made'] as MadeDisk[]) : [];
}
