/**
 * Processes as /proc shows them. A pid alone means nothing: it counts only together with its start time (in clock ticks since boot, so
 * no wall clock is involved) and the id of the boot. A zombie is dead: it holds no file, no socket and no lock any more, once the last of its threads is gone.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.ts';
import { readBootId } from './boot-id.ts';
import { namesIn } from './glance.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot: field 22 of /proc/PID/stat. */
  readonly startTime: number;
  readonly bootId: string;
}

export interface ProcessFact {
  readonly pid: number;
  readonly parent: number;
  readonly startTime: number;
  /** `R`, `S`, `Z`, …; `D` (about to change) for a process whose main thread is a zombie while others still have its files. */
  readonly state: string;
  readonly command: string;
  /** Empty for a zombie, a kernel thread, or where /proc is mounted with hidepid. */
  readonly argv: readonly string[];
  readonly uid: number;
  /** Such as `net:[4026531840]`; only where this user may see it. */
  readonly netns?: string;
}

/** Field 2 of stat is the name in brackets, and may itself have brackets and blanks: fields count from after the last one. */
export function parseStat(text: string): Pick<ProcessFact, 'command' | 'state' | 'parent' | 'startTime'> | undefined {
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  const [state, parent] = fields;
  const [threads, startTime] = [fields[17], fields[19]];
  if (close < 0 || state === undefined || parent === undefined || startTime === undefined) return undefined;
  return {
    command: text.slice(text.indexOf('(') + 1, close),
    state: state === 'Z' && Number(threads) > 1 ? 'D' : state,
    parent: Number(parent),
    startTime: Number(startTime),
  };
}

/** Undefined: there is no such process. */
export function readProcess(pid: number): ProcessFact | undefined {
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const directory = `/proc/${pid}`;
  try {
    const stat = parseStat(readFileSync(`${directory}/stat`, 'utf8'));
    if (stat === undefined) return undefined;
    const netns = readLink(`${directory}/ns/net`);
    const argv = readArguments(pid);
    return { pid, ...stat, argv, uid: statSync(directory).uid, ...(netns !== undefined && { netns }) };
  } catch {
    return undefined;
  }
}

/** Whether that very process still runs: same boot, same start time, not a zombie. */
export function isAlive(identity: ProcessIdentity, bootId: string = readBootId()): boolean {
  if (identity.bootId !== bootId) return false;
  const found = readState(identity.pid);
  return found !== undefined && found.startTime === identity.startTime && !'ZX'.includes(found.state);
}

function readState(pid: number): ReturnType<typeof parseStat> {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Who this process is, for a record that a later qrun checks with `isAlive`. */
export function readIdentity(pid: number): ProcessIdentity | undefined {
  const state = readState(pid);
  return state === undefined ? undefined : { pid, startTime: state.startTime, bootId: readBootId() };
}

/** Sends a signal; a process that is gone already is no error. @throws Error EPERM for another user's */
export function killProcess(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

export function listPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
}

/** Empty when there is no such process, or none that may be seen. */
export function readArguments(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return text === '' ? [] : text.replace(/\0$/, '').split('\0');
  } catch {
    return [];
  }
}

/** Whose process it is. /proc/PID itself is root's for a process that hides its memory; undefined: there is no such process. */
export function readRealUser(pid: number): number | undefined {
  try {
    const line = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? undefined : Number(line[1]);
  } catch {
    return undefined;
  }
}

/**
 * The pids that have this very file open, by device and inode, this process left out. Other users' processes are seen by root alone.
 * `among` narrows the search, for a caller that knows where to look.
 */
export function findHolders(file: string, among: readonly number[] = listPids()): number[] {
  const wanted = statSync(file, { throwIfNoEntry: false });
  if (wanted === undefined) return [];
  return among.filter((pid) => pid !== process.pid && hasOpen(pid, wanted));
}

function hasOpen(pid: number, wanted: { readonly ino: number; readonly dev: number }): boolean {
  const directory = `/proc/${pid}/fd`;
  for (const name of namesIn(directory)) {
    try {
      const found = statSync(path.join(directory, name), { throwIfNoEntry: false });
      if (found?.ino === wanted.ino && found.dev === wanted.dev) return true;
    } catch {
      // closed meanwhile, or not ours to see
    }
  }
  return false;
}

/** What its descriptors are, as /proc tells it: paths, `socket:[INODE]`, …; empty if that is not ours to see. */
export function readDescriptors(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  return namesIn(directory)
    .map((name) => readLink(path.join(directory, name)))
    .filter((target) => target !== undefined);
}

/** What one of them is; undefined if it has none of that number, or that is not ours to see. */
export function readDescriptor(pid: number, fd: number): string | undefined {
  return readLink(`/proc/${pid}/fd/${fd}`);
}

/** Also what cannot be looked into. */
export function isOfThisNetwork(pid: number): boolean {
  const theirs = readLink(`/proc/${pid}/ns/net`);
  return theirs === undefined || theirs === readLink('/proc/self/ns/net');
}

/** Such as `mnt:[4026531841]`; undefined if that is not ours to see. */
export function readMountNamespace(pid: number): string | undefined {
  return readLink(`/proc/${pid}/ns/mnt`);
}

function readLink(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch {
    return undefined;
  }
}
