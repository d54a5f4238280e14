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
    const words = readEnvironment(pid).filter((word) => word.startsWith(name));
    if (!words.includes(wanted)) return [];
    const found = readProcess(pid);
    if (found === undefined || 'ZX'.includes(found.state)) return [];
    return [{ ...found, variables: Object.fromEntries(words.map(splitVariable)) }];
  });
}

/** For what has got SIGKILL: on a busy machine even that takes a while, and nothing is left behind by it. */
const lastMs = 15_000;

/**
 * Ends them: those that would start others first, with SIGKILL; then the others with SIGTERM, and with SIGKILL what is still there after `graceMs`.
 * @returns what could not be ended
 */
export async function endMarked(
  find: () => readonly Marked[],
  options: { readonly isKeeper: (one: Marked) => boolean; readonly graceMs: number },
): Promise<readonly Marked[]> {
  for (const one of find().filter(options.isKeeper)) killProcess(one.pid);
  for (const one of find()) killProcess(one.pid, 'SIGTERM');
  const kill = performance.now() + options.graceMs;
  const giveUp = kill + lastMs;
  for (;;) {
    const left = find();
    if (left.length === 0 || performance.now() > giveUp) return left;
    if (performance.now() > kill) for (const one of left) killProcess(one.pid);
    await delay(10);
  }
}

/** Empty for what is gone, or is not ours to read. */
function readEnvironment(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function splitVariable(word: string): [string, string] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}
