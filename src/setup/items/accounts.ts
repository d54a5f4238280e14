/** Users and groups as /etc has them. */
import { readFileSync } from 'node:fs';

export interface GroupLook {
  readonly gid: number;
  readonly members: readonly string[];
}

export function groupNamed(name: string): GroupLook | undefined {
  for (const line of linesOf('/etc/group')) {
    const [found, , gid = '', members = ''] = line.split(':');
    if (found === name) return { gid: Number(gid), members: members.split(',').filter((one) => one !== '') };
  }
  return undefined;
}

export const hasAccount = (name: string): boolean => accountNamed(name) !== undefined;

export interface AccountLook {
  readonly uid: number;
  /** Empty: /bin/sh. */
  readonly shell: string;
}

export function accountNamed(name: string): AccountLook | undefined {
  for (const line of linesOf('/etc/passwd')) {
    const [found, , uid = '', , , , shell = ''] = line.split(':');
    if (found === name) return { uid: Number(uid), shell };
  }
  return undefined;
}

export const groupOfGid = (gid: number): string | undefined =>
  linesOf('/etc/group')
    .find((line) => line.split(':')[2] === String(gid))
    ?.split(':')[0];

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
