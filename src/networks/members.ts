/** The NICs that are on a network: a small file each, written when a VM joins and removed when it leaves. */
import { rmSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import { isVmName, parseMac } from '../names.ts';
import { memberFile, olderMemberFile, type NetworkFiles } from '../plan/network-files.ts';
import type { SwitchMember } from '../switch/config.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { entriesOf } from '../system/entries.ts';
import { writeQuick } from '../system/files.ts';
import { readStateFile } from '../system/state-files.ts';

export type Member = SwitchMember;

export function writeMember(files: NetworkFiles, member: Member, uid: number): void {
  ensurePrivateDirectory(files.members, { uid });
  writeQuick(memberFile(files, member.vm, member.nic), JSON.stringify(member));
  removeOlder(files, member);
}

export function removeMember(files: NetworkFiles, { vm, nic }: Pick<Member, 'vm' | 'nic'>): void {
  rmSync(memberFile(files, vm, nic), { force: true });
  removeOlder(files, { vm, nic });
}

/** What an older qrun wrote for this NIC. Under that name another VM's may lie. */
function removeOlder(files: NetworkFiles, { vm, nic }: Pick<Member, 'vm' | 'nic'>): void {
  const older = olderMemberFile(files, vm, nic);
  if (older === memberFile(files, vm, nic)) return;
  const member = readMember(older);
  if (member?.vm === vm && member.nic === nic) rmSync(older, { force: true });
}

/** In the order of their names. A file that says nothing is passed over. */
export function listMembers(files: NetworkFiles): Member[] {
  return entriesOf(files.members)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .flatMap((name) => readMember(path.join(files.members, name)) ?? []);
}

function readMember(file: string): Member | undefined {
  try {
    const read = readStateFile(file, { leave: true });
    return read.state === 'read' && isMember(read.value) ? (read.value as unknown as Member) : undefined;
  } catch (error) {
    if (error instanceof QrunError) return undefined;
    throw error;
  }
}

/** What stands in these files goes to monitors, tables and paths. */
function isMember({ vm, nic, mac, since, ip, holder, device }: Readonly<Record<string, unknown>>): boolean {
  const optional = [ip, holder, device].every((value) => value === undefined || typeof value === 'string');
  return (
    typeof vm === 'string' &&
    isVmName(vm) &&
    typeof nic === 'string' &&
    /^[A-Za-z][A-Za-z0-9_.-]{0,31}$/.test(nic) &&
    typeof mac === 'string' &&
    'mac' in parseMac(mac) &&
    (since === undefined || typeof since === 'string') &&
    optional &&
    (typeof ip !== 'string' || isIP(ip) !== 0)
  );
}
