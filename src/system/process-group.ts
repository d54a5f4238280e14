/**
 * A session's leader and all that it started, ended together: a signal to a process group reaches all who are in it at once, so that none of them starts
 * another meanwhile. The leader says whose group it is: only one that is seen to be it, by its start time and its mark, is signalled.
 */
import { readFileSync } from 'node:fs';
import { delay } from './delay.ts';
import { killProcess, parseStat } from './processes.ts';

export interface GroupLeader {
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startTime: number;
}

interface Member extends GroupLeader {
  readonly group: number;
  readonly isDead: boolean;
}

/** For the record of a step: `PID:TICKS`, several with commas. Undefined where one of them is not seen any more. */
export function renderLeaders(pids: readonly number[]): string | undefined {
  const found = pids.map(readMember);
  return found.some((one) => one === undefined)
    ? undefined
    : found.map((one) => `${one?.pid ?? 0}:${one?.startTime ?? 0}`).join(',');
}

/** Empty: none. */
export const parseLeaders = (text: string): GroupLeader[] =>
  [...text.matchAll(/(\d+):(\d+)/g)].map(([, pid, startTime]) => ({ pid: Number(pid), startTime: Number(startTime) }));

/**
 * SIGTERM for all of them.
 * @param mark a word of the leaders' environments, `NAME=value`
 * @returns false when not all were seen to end within `graceMs`, or nothing could be said of a leader: then nothing is known
 */
export async function endGroups(
  leaders: readonly GroupLeader[],
  { mark, graceMs }: { readonly mark: string; readonly graceMs: number },
): Promise<boolean> {
  const families: Member[][] = [];
  for (const leader of leaders) {
    const family = readFamily(leader, mark);
    if (family === undefined) return false;
    families.push(family);
  }
  for (const { pid } of leaders) killProcess(-pid, 'SIGTERM');
  const members = families.flat();
  for (const end = performance.now() + graceMs; members.some((one) => !hasEnded(one)); await delay(pollMs))
    if (performance.now() > end) return false;
  // a program's own child of the last moment: the number is the group's for as long as one of it is there, and be it dead
  for (const leader of leaders) if (isSame(readMember(leader.pid), leader)) killProcess(-leader.pid);
  return true;
}

const pollMs = 1;

/** The leader and what it started. Undefined: it is not there, leads none, has not the mark, or the kernel does not tell of children. */
function readFamily(leader: GroupLeader, mark: string): Member[] | undefined {
  const head = readMember(leader.pid);
  if (head === undefined || !isSame(head, leader) || head.isDead || head.group !== leader.pid) return undefined;
  if (!readWords(leader.pid, 'environ').split('\0').includes(mark)) return undefined;
  const family: Member[] = [];
  const pids = [leader.pid];
  for (let pid = pids.pop(); pid !== undefined; pid = pids.pop()) {
    const member = readMember(pid);
    if (member === undefined) continue;
    // it went its own way
    if (member.group !== leader.pid) return undefined;
    family.push(member);
    const children = readChildren(pid);
    if (children === undefined) return undefined;
    pids.push(...children);
  }
  return family;
}

/** Of its first thread. Undefined: a kernel without CONFIG_PROC_CHILDREN, or it is gone. */
function readChildren(pid: number): number[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    return undefined;
  }
}

function readMember(pid: number): Member | undefined {
  const text = readWords(pid, 'stat');
  const stat = parseStat(text);
  if (stat === undefined) return undefined;
  const group = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[2]);
  return { pid, startTime: stat.startTime, group, isDead: 'ZX'.includes(stat.state) };
}

const isSame = (found: Member | undefined, wanted: GroupLeader): boolean => found?.startTime === wanted.startTime;

function hasEnded(one: Member): boolean {
  const now = readMember(one.pid);
  return now === undefined || !isSame(now, one) || now.isDead;
}

function readWords(pid: number, file: 'stat' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
