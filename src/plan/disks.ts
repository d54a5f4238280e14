/**
 * Which image each disk of a profile really is, what has to be made first, and what is refused: an image that leads QEMU to other files
 * than the profile names would hand the guest files of the host's.
 */
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { DiskFact, HostFacts } from '../host/facts.ts';
import { vmDir } from '../places.ts';
import type { Disk, DiskFormat, Profile } from '../profile/profile.ts';
import { pciSlots } from '../qemu/argv/machine-family.ts';
import { shellWord } from '../shell-word.ts';
import type { DiskStep } from './step.ts';

export interface PlannedDisk {
  readonly file: string;
  readonly format: DiskFormat;
  readonly readOnly: boolean;
  /** Innermost last; each with its own format, so that QEMU opens nothing by an image's own word. */
  readonly backing: readonly { readonly file: string; readonly format: DiskFormat }[];
}

/** Each has a PCI slot of its own; the slots behind them are those of the NICs. */
const maxDisks = pciSlots.disks.count;

export interface DisksPlan {
  readonly disks: readonly PlannedDisk[];
  readonly steps: readonly DiskStep[];
  readonly notes: readonly string[];
}

/** Where a disk is made when the place that the profile names cannot be written. */
function fallbackDiskFile(facts: Pick<HostFacts, 'places'>, profile: Profile, disk: Disk): string {
  return path.join(vmDir(facts.places, profile.name), path.basename(disk.file));
}

export function planDisks(profile: Profile, facts: HostFacts, ephemeral: boolean): DisksPlan {
  const steps: DiskStep[] = [];
  const notes: string[] = [];
  if (profile.disks.length > maxDisks)
    throw new QrunError('invalid-profile', `disks: ${profile.disks.length} of them, and a VM has room for ${maxDisks}`);
  const disks = profile.disks.map((disk, index) => {
    const planned = planDisk({ profile, facts, disk, index, steps, notes });
    return ephemeral && !planned.readOnly ? overlayOf({ profile, facts, planned, index, steps }) : planned;
  });
  return { disks, steps, notes };
}

interface DiskContext {
  readonly profile: Profile;
  readonly facts: HostFacts;
  readonly disk: Disk;
  readonly index: number;
  readonly steps: DiskStep[];
  readonly notes: string[];
}

function planDisk(context: DiskContext): PlannedDisk {
  const { profile, facts, disk, index, notes } = context;
  const named = factOf(facts, disk.file);
  const own = fallbackDiskFile(facts, profile, disk);
  if (named.noDirectory === true && !factOf(facts, own).exists) {
    throw new QrunError('invalid-profile', `disks[${index}].file: there is no directory ${path.dirname(disk.file)}`, {
      hint: 'paths are relative to the profile',
    });
  }
  const file = named.exists || (named.writable && !factOf(facts, own).exists) ? disk.file : own;
  const backing = disk.base === undefined ? [] : [{ file: disk.base, format: baseFormat(facts, disk.base, index) }];
  if (file === own) notes.push(`disks[${index}]: ${path.dirname(disk.file)} cannot be written: the disk is ${own}`);
  const fact = factOf(facts, file);
  if (!fact.exists) makeDisk({ ...context, file, backing });
  else checkImage({ file, disk, fact: requireFile(facts, file, `disks[${index}].file`), index, facts });
  const readOnly = disk.readOnly || (fact.exists && !fact.writable);
  if (readOnly && !disk.readOnly) notes.push(`disks[${index}]: ${file} cannot be written: the guest gets it read-only`);
  return { file, format: disk.format, readOnly, backing };
}

function makeDisk({
  facts,
  disk,
  index,
  steps,
  file,
  backing,
}: DiskContext & { file: string; backing: PlannedDisk['backing'] }): void {
  const base = backing[0];
  if (disk.sizeBytes === undefined && base === undefined) {
    throw new QrunError('invalid-profile', `disks[${index}].file: there is no ${file}`, {
      hint: 'give a size, or a base, to have it created',
    });
  }
  if (base !== undefined) requireFile(facts, base.file, `disks[${index}].base`);
  steps.push({
    kind: 'disk',
    id: `disk:${index}`,
    needsRoot: false,
    file,
    format: disk.format,
    ...(disk.sizeBytes !== undefined && { sizeBytes: disk.sizeBytes }),
    ...(base !== undefined && { base }),
    temporary: false,
    ownDirectory: file !== disk.file,
    ...(facts.runAs && { owner: { uid: facts.runAs.uid, gid: facts.runAs.gid } }),
  });
}

/** An overlay of this run alone: the disk itself is never written. */
function overlayOf({
  profile,
  facts,
  planned,
  index,
  steps,
}: Pick<DiskContext, 'profile' | 'facts' | 'index' | 'steps'> & { planned: PlannedDisk }): PlannedDisk {
  const file = path.join(vmDir(facts.places, profile.name), `ephemeral-${index}.qcow2`);
  steps.push({
    kind: 'disk',
    id: `overlay:${index}`,
    needsRoot: false,
    file,
    format: 'qcow2',
    base: { file: planned.file, format: planned.format },
    temporary: true,
    ownDirectory: true,
    ...(facts.runAs && { owner: { uid: facts.runAs.uid, gid: facts.runAs.gid } }),
  });
  return {
    file,
    format: 'qcow2',
    readOnly: false,
    backing: [{ file: planned.file, format: planned.format }, ...planned.backing],
  };
}

function baseFormat(facts: HostFacts, base: string, index: number): DiskFormat {
  const image = requireFile(facts, base, `disks[${index}].base`).image;
  if (image?.backingFile !== undefined || image?.dataFile !== undefined) {
    throw leadsElsewhere(base, `disks[${index}].base`, image.backingFile ?? image.dataFile ?? '');
  }
  return image?.format ?? 'raw';
}

function checkImage({
  file,
  disk,
  fact,
  index,
  facts,
}: {
  file: string;
  disk: Disk;
  fact: DiskFact;
  index: number;
  facts: HostFacts;
}): void {
  const image = fact.image;
  if (image === undefined || disk.format === 'raw') return;
  const at = `disks[${index}].file`;
  if (image.format !== disk.format) {
    throw new QrunError('invalid-profile', `${at}: ${file} is not ${disk.format}: its header says ${image.format}`, {
      hint: `state the right format of disks[${index}]`,
    });
  }
  if (image.dataFile !== undefined) throw leadsElsewhere(file, at, image.dataFile);
  if (image.backingFile === undefined) return;
  const backing = path.resolve(path.dirname(file), image.backingFile);
  const base = disk.base === undefined ? undefined : (factOf(facts, disk.base).realFile ?? disk.base);
  if (disk.base === undefined || (backing !== disk.base && backing !== base))
    throw leadsElsewhere(file, at, image.backingFile);
}

function leadsElsewhere(file: string, at: string, other: string): QrunError {
  return new QrunError(
    'invalid-profile',
    `${at}: ${file} is built on another file, ${JSON.stringify(other)}, which the profile does not name`,
    {
      hint: 'name that file as base if the guest may read it, or flatten the image: qemu-img convert',
    },
  );
}

/** @throws QrunError `invalid-profile` when the file is not there */
export function requireFile(facts: HostFacts, file: string, at: string): DiskFact {
  const fact = factOf(facts, file);
  if (fact.exists && fact.readable === false) {
    const who = facts.runAs === undefined ? facts.user.name : `${facts.runAs.name}, whom root's QEMU runs as,`;
    throw new QrunError('permission', `${at}: ${who} may not read ${file}`, { hint: `ls -l ${shellWord(file)}` });
  }
  if (!fact.exists)
    throw new QrunError('invalid-profile', `${at}: there is no ${file}`, { hint: 'paths are relative to the profile' });
  return fact;
}

function factOf(facts: HostFacts, file: string): DiskFact {
  return facts.disks[file] ?? { file, exists: false, writable: false };
}
