/** The files that a profile names, looked at: there, readable, writable, and what an image's header says of itself. */
import { constants, realpathSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { vmDir, type Places } from '../places.ts';
import type { Profile } from '../profile/profile.ts';
import { shellWord } from '../shell-word.ts';
import { failureOf } from '../system/failure.ts';
import type { FileAccess } from './file-access.ts';
import type { DiskFact } from './facts.ts';
import { isGranted } from './file-access.ts';

/** What qemu/image reads from the first bytes of an image. */
export type ReadImageHeader = (file: string) => NonNullable<DiskFact['image']>;

export interface DiskFactsOptions {
  readonly places: Places;
  readonly access: FileAccess;
  readonly readImageHeader: ReadImageHeader;
}

/**
 * By path: every disk, the place it would be made in instead, every base, kernel, initrd and cdrom.
 * @throws QrunError `invalid-profile` for what is neither a file nor a block device
 */
export function readDiskFacts(profile: Profile, options: DiskFactsOptions): Record<string, DiskFact> {
  const facts: Record<string, DiskFact> = {};
  const own = vmDir(options.places, profile.name);
  const images = profile.disks.flatMap(({ file, base }) => [
    file,
    path.join(own, path.basename(file)),
    ...(base === undefined ? [] : [base]),
  ]);
  for (const file of images) facts[file] ??= readFact(file, options, true);
  const plain = [profile.kernel, profile.initrd, profile.cdrom].filter((file) => file !== undefined);
  for (const file of plain) facts[file] ??= readFact(file, options, false);
  return facts;
}

function readFact(file: string, { access, readImageHeader }: DiskFactsOptions, isImage: boolean): DiskFact {
  const stat = readStat(file);
  if (stat === undefined) {
    const noDirectory = readStat(path.dirname(file)) === undefined;
    return { file, exists: false, writable: canMakeIn(path.dirname(file)), ...(noDirectory && { noDirectory }) };
  }
  if (!stat.isFile() && !stat.isBlockDevice()) {
    throw new QrunError('invalid-profile', `${file} is neither a file nor a block device`, {
      hint: `ls -ld ${shellWord(file)}`,
    });
  }
  const readable = access.mayRead(file);
  const image = isImage && stat.isFile() && canRead(file) ? readImageHeader(file) : undefined;
  return {
    file,
    realFile: realpathSync(file),
    exists: true,
    readable,
    writable: access.mayWrite(file),
    ...(image !== undefined && { image }),
  };
}

function readStat(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    // a directory on the way that is a file, or that this user may not enter: nothing is there for us
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw failureOf(file, error, 'cannot look at it');
  }
}

const canRead = (file: string): boolean => isGranted(file, constants.R_OK);

/** Made by this user, whoever QEMU then runs as; a directory that is missing itself is not made for a disk. */
const canMakeIn = (directory: string): boolean => isGranted(directory, constants.W_OK | constants.X_OK);
