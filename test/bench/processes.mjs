/**
 * Processes of a bench's home, found by the directory that their arguments or their environment name.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Living ones (no zombies, not this one).
 * @returns {{pid: number, argv: string[]}[]}
 */
export function readProcessesOf(directory) {
  const marks = [`${directory}/`, `${directory}\0`];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((entry) => {
      const cmdline = readProc(entry, 'cmdline');
      const named = marks.some((mark) => cmdline.includes(mark) || readProc(entry, 'environ').includes(mark));
      return named && isAlive(entry) ? [{ pid: Number(entry), argv: cmdline.split('\0').slice(0, -1) }] : [];
    });
}

export const isQemu = ({ argv }) => /qemu/.test(argv[0] ?? '') && argv.includes('-nodefaults');

function isAlive(pid) {
  const stat = readProc(pid, 'stat');
  const state = stat.slice(stat.lastIndexOf(')') + 2).charAt(0);
  return state !== '' && state !== 'Z' && state !== 'X';
}

/** One that is ending has no command line any more, and its descriptors and locks all the same: this waits for these too. */
export async function waitUntilEnded(pids) {
  while (pids.some((pid) => isAlive(String(pid)))) await delay(5);
}

/** Proportional set size: shared pages count by their share. */
export function readPssBytes(pid) {
  const found = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'));
  if (found === null) throw new Error(`/proc/${pid}/smaps_rollup has no Pss`);
  return Number(found[1]) * 1024;
}

/** @throws Error naming what still lives after that time */
export async function waitUntilGone(directory, timeoutMs = 60_000) {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const left = readProcessesOf(directory);
    if (left.length === 0) return;
    if (performance.now() > end) {
      const shown = left.slice(0, 3).map(({ pid, argv }) => `${pid} ${argv.join(' ').slice(0, 120)}`);
      throw new Error(`${left.length} processes did not end: ${shown.join('; ')}`);
    }
    await delay(20);
  }
}

/** At once and without awaiting anything, so that it can be done when this process is about to end. */
export function killProcessesOf(directory) {
  for (let turn = 0; turn < 200; turn++) {
    const left = readProcessesOf(directory);
    if (left.length === 0) return;
    for (const { pid } of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it ended by itself
      }
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 25);
  }
}

function readProc(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
