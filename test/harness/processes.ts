/**
 * Processes that a test left behind, found by a directory that they name: in their arguments, or in the environment that they were started with.
 */
import { readdirSync, readFileSync } from 'node:fs';

export interface FoundProcess {
  readonly pid: number;
  readonly command: string;
}

/** Living processes (no zombies, not this one) that name `text`. */
export function readProcessesNaming(text: string): FoundProcess[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid)
    .flatMap((pid) => {
      const command = readProc(pid, 'cmdline').replaceAll('\0', ' ').trim();
      const named = command.includes(text) || readProc(pid, 'environ').includes(text);
      return named && isAlive(pid) ? [{ pid, command: command.slice(0, 200) }] : [];
    });
}

/** True for a process that runs: a zombie, which PID 1 may take a minute to collect, is dead when the last of its threads is gone. */
export function isAlive(pid: number): boolean {
  const stat = readProc(pid, 'stat');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state = ''] = fields;
  return state !== '' && state !== 'X' && (state !== 'Z' || Number(fields[17]) > 1);
}

/** The pids of a process's living children. */
export function readChildren(pid: number): number[] {
  return readProc(pid, `task/${pid}/children`).split(' ').filter(Boolean).map(Number).filter(isAlive);
}

/** It, and all that it started and what these started. */
export const readTree = (pid: number): FoundProcess[] => [{ pid, command: '' }, ...readChildren(pid).flatMap(readTree)];

/** Kills by pid, once each; what is gone already is no matter. */
export function killAll(processes: readonly FoundProcess[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it ended by itself
    }
  }
}

export async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
