/**
 * Processes that were started with a mark in their environment: children inherit it, whoever their parent is by now, and nothing else has it,
 * for it is a random id. So a keeper, its program and an orphan of it are all known again without a pid file.
 */
import { readFileSync } from 'node:fs';
import { delay } from './delay.ts';
import { killProcess, listPids, readProcess, type ProcessFact } from './processes.ts';

export interface Marked extends ProcessFact {
  /** The variables of its environment whose names begin like the mark's. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Living processes of this user's that have `NAME=value` in their environment, this one left out. */
export function findMarked(name: string, value: string): Marked[] {
  const wanted = `${name}=${value}`;
  return listPids().flatMap((pid): Marked[] => {
    if (pid === process.pid) return [];
    const environment = readEnvironment(pid);
    // hardly any has it: the others are not taken to pieces
    if (!environment.includes(wanted)) return [];
    const words = environment.split('\0').filter((word) => word.startsWith(name));
    if (!words.includes(wanted)) return [];
    const found = readProcess(pid);
    if (found === undefined || 'ZX'.includes(found.state)) return [];
    return [{ ...found, variables: Object.fromEntries(words.map(splitVariable)) }];
  });
}

/** For what has got SIGKILL: on a busy machine even that takes a while, and nothing is left behind by it. */
const lastMs = 15_000;

/**
 * Ends them: those that would start others with SIGKILL, the others with SIGTERM, and with SIGKILL what is still there after `graceMs`. All processes
 * are looked through again once those that were found are gone: a keeper may have started one more before it was killed.
 * @returns what could not be ended
 */
export async function endMarked(
  find: () => readonly Marked[],
  options: { readonly isKeeper: (one: Marked) => boolean; readonly graceMs: number },
): Promise<readonly Marked[]> {
  const told = new Set<string>();
  const kill = performance.now() + options.graceMs;
  const giveUp = kill + lastMs;
  for (;;) {
    const left = find();
    if (left.length === 0 || performance.now() > giveUp) return left;
    const late = performance.now() > kill;
    // keepers first: what they keep would be started again
    for (const one of left.toSorted((a, b) => Number(options.isKeeper(b)) - Number(options.isKeeper(a)))) {
      if (late || options.isKeeper(one)) killMarked(one);
      else if (!told.has(keyOf(one))) killMarked(one, 'SIGTERM');
      told.add(keyOf(one));
    }
    await waitUntilEnded(left, late ? performance.now() + againMs : kill);
  }
}

/** Looked at once more: the pid of one that has ended meanwhile may be somebody else's. */
export function killMarked(one: Marked, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (isRunning(one)) killProcess(one.pid, signal);
}

const keyOf = ({ pid, startTime }: Marked): string => `${pid} ${startTime}`;

/** What is killed and does not go is looked for again after this time. */
const againMs = 50;
const shortestWaitMs = 1;
const longestWaitMs = 10;

/** Looks at these alone: to look through all processes takes milliseconds. */
async function waitUntilEnded(ended: readonly Marked[], until: number): Promise<void> {
  for (let ms = shortestWaitMs; ; ms = Math.min(2 * ms, longestWaitMs)) {
    await delay(ms);
    if (performance.now() > until || ended.every((one) => !isRunning(one))) return;
  }
}

function isRunning({ pid, startTime }: Marked): boolean {
  const now = readProcess(pid);
  return now !== undefined && now.startTime === startTime && !'ZX'.includes(now.state);
}

/** Empty for what is gone, or is not ours to read. */
function readEnvironment(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

function splitVariable(word: string): [string, string] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}
