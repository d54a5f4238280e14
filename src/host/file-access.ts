/** What QEMU's user may do with a file. That is this user by a plain question to the kernel; or, when root drops to another, by the mode bits. */
import { accessSync, constants, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import type { RunAs } from './facts.ts';
import { readGroups } from './accounts.ts';

export interface FileAccess {
  readonly mayRead: (file: string) => boolean;
  readonly mayWrite: (file: string) => boolean;
  readonly mayExecute: (file: string) => boolean;
}

const readBit = 4;
const writeBit = 2;
const executeBit = 1;
/** The same bit on a directory. */
const searchBit = executeBit;

export function accessOf(runAs: RunAs | undefined): FileAccess {
  const asks = (file: string, mode: number): boolean => isGranted(file, mode);
  if (runAs === undefined) {
    return {
      mayRead: (file) => asks(file, constants.R_OK),
      mayWrite: (file) => asks(file, constants.R_OK | constants.W_OK),
      mayExecute: (file) => asks(file, constants.X_OK),
    };
  }
  let groups: readonly number[] | undefined;
  const has = (file: string, bit: number): boolean => {
    groups ??= readGroups(runAs);
    return reaches(path.dirname(file), runAs.uid, groups) && allows(file, bit, { uid: runAs.uid, groups });
  };
  return {
    mayRead: (file) => has(file, readBit),
    // asking the kernel as well finds a read-only file system
    mayWrite: (file) => asks(file, constants.W_OK) && has(file, readBit | writeBit),
    mayExecute: (file) => has(file, executeBit),
  };
}

export function isGranted(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}

/** Every directory on the way must let the user through. */
function reaches(directory: string, uid: number, groups: readonly number[]): boolean {
  if (!allows(directory, searchBit, { uid, groups })) return false;
  return directory === '/' || reaches(path.dirname(directory), uid, groups);
}

function allows(
  file: string,
  bits: number,
  who: { readonly uid: number; readonly groups: readonly number[] },
): boolean {
  try {
    return allowsMode(statSync(file), bits, who);
  } catch {
    return false;
  }
}

/** The first class that fits decides, as in the kernel: an owner without the right does not get it as one of the others. */
export function allowsMode(
  { uid, gid, mode }: Pick<Stats, 'uid' | 'gid' | 'mode'>,
  bits: number,
  who: { readonly uid: number; readonly groups: readonly number[] },
): boolean {
  const shift = uid === who.uid ? 6 : who.groups.includes(gid) ? 3 : 0;
  return ((mode >> shift) & bits) === bits;
}
