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

export const hasAccount = (name: string): boolean => linesOf('/etc/passwd').some((line) => line.startsWith(`${name}:`));

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
