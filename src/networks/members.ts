/** The NICs that are on a network: a small file each, written when a VM joins and removed when it leaves. */
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { memberFile, type NetworkFiles } from '../plan/network-files.ts';
import type { SwitchMember } from '../switch/config.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { writeQuick } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';

export type Member = SwitchMember;

export function writeMember(files: NetworkFiles, member: Member, uid: number): void {
  ensurePrivateDirectory(files.members, { uid });
  writeQuick(memberFile(files, member.vm, member.nic), JSON.stringify(member));
}

export function removeMember(files: NetworkFiles, { vm, nic }: Pick<Member, 'vm' | 'nic'>): void {
  rmSync(memberFile(files, vm, nic), { force: true });
}

/** In the order of their names. A file that says nothing is passed over. */
export function listMembers(files: NetworkFiles): Member[] {
  return namesIn(files.members)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .flatMap((name): Member[] => {
      try {
        const read = readStateFile(path.join(files.members, name), { leave: true });
        return read.state === 'read' ? [read.value as unknown as Member] : [];
      } catch (error) {
        if (error instanceof QrunError) return [];
        throw error;
      }
    });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
