/** Why a user may not have a file, as far as a group would help: for the hint of an error. */
import { statSync } from 'node:fs';
import { textOf } from '../system/glance.ts';
import type { RunAs } from './facts.ts';
import { parseGroups } from './accounts.ts';

export interface BlockedBy {
  /** Its members have the right. Absent: no group has. */
  readonly group?: string;
  /** The user is one of them, but this session began before that. */
  readonly member: boolean;
}

/** @param bits of the right, as for others: 4 to read, 1 to execute, 6 for both directions of a device */
export function blockedBy(file: string, bits: number, who: Pick<RunAs, 'name' | 'gid'>): BlockedBy {
  const groups = textOf('/etc/group');
  const stat = statOf(file);
  if (stat === undefined || ((stat.mode >> 3) & bits) !== bits) return { member: false };
  // what root has for itself is lent to nobody by its group
  if (stat.gid === 0) return { member: false };
  return { group: nameOf(groups, stat.gid), member: parseGroups(groups, who).includes(stat.gid) };
}

function nameOf(groups: string, gid: number): string {
  const line = groups.split('\n').find((one) => one.split(':')[2] === String(gid));
  return line?.split(':')[0] ?? String(gid);
}

function statOf(file: string): { readonly mode: number; readonly gid: number } | undefined {
  try {
    return statSync(file);
  } catch {
    return undefined;
  }
}
