/**
 * flock(2) by way of flock(1). The lock belongs to the open file description, not to the process that asked for it: flock(1) locks the
 * descriptor that it inherits and ends, and the lock stays for as long as anybody has that description open — qrun, or the QEMU that it
 * hands the descriptor to. So a lock cannot be stale. A lock file is never unlinked: whoever holds a file that is gone locks nothing.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, lstatSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { shellWord } from '../shell-word.ts';
import { delay } from './delay.ts';
import { openRegular } from './regular-file.ts';
import { findTool } from './tools.ts';

let tool: string | undefined;

function flockTool(): string {
  tool ??= findTool('flock', { env: process.env, uid: process.getuid?.() ?? 0 });
  if (tool !== undefined) return tool;
  throw new QrunError('missing-tool', 'flock was not found on PATH', { hint: 'sudo apt-get install util-linux' });
}

/** Opens, or makes with mode 0600, a lock file; nothing but a regular file of this user's or root's. Its descriptor is close-on-exec. */
export function openLockFile(file: string): number {
  const opened = openRegular(file, { code: 'unsafe-state', flags: constants.O_RDWR | constants.O_CREAT });
  if (opened === undefined) throw new QrunError('host-failed', `${file}: the lock file vanished while it was opened`);
  const uid = process.getuid?.() ?? 0;
  if (opened.stat.uid === uid || opened.stat.uid === 0) return opened.fd;
  closeSync(opened.fd);
  throw new QrunError('unsafe-state', `${file} belongs to another user (uid ${opened.stat.uid})`, {
    hint: `ls -l ${shellWord(file)}`,
  });
}

/** False: somebody else holds it. util-linux and busybox both say 1 for that, and something else for everything else. */
export function tryLock(fd: number, how: 'exclusive' | 'shared' = 'exclusive'): boolean {
  const { status, error, stderr } = spawnSync(flockTool(), ['-n', how === 'shared' ? '-s' : '-x', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', fd],
    encoding: 'utf8',
    // what it says is looked at by nobody: it need not look for the words of a language
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (status === 0) return true;
  if (status === 1) return false;
  throw lockFailed(stderr ?? '', error);
}

/**
 * Waits without blocking the event loop, since the holder may be another part of this very process.
 * False: not in that time. Then close the descriptor: the lock may have come in the last moment.
 */
export async function waitLock(fd: number, timeoutMs: number): Promise<boolean> {
  if (tryLock(fd)) return true;
  return new Promise((resolve, reject) => {
    const child = spawn(flockTool(), ['-x', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(lockFailed('', error));
    });
    child.once('close', (status, signal) => {
      clearTimeout(timer);
      if (status === 0) resolve(true);
      else if (signal !== null) resolve(false);
      else reject(lockFailed(`flock ended with status ${status}`, undefined));
    });
  });
}

/** The lock file, locked: its descriptor. Undefined: somebody else holds it. Never waits. */
export function tryLockFile(file: string, how: 'exclusive' | 'shared' = 'exclusive'): number | undefined {
  for (;;) {
    const fd = openLockFile(file);
    if (!closeUnless(fd, () => tryLock(fd, how))) return undefined;
    if (isStillAt(fd, file)) return fd;
    closeSync(fd);
  }
}

/** The same, waiting up to `timeoutMs`. */
export async function waitLockFile(file: string, timeoutMs: number): Promise<number | undefined> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const fd = openLockFile(file);
    try {
      if (!(await waitLock(fd, Math.max(0, end - performance.now())))) {
        closeSync(fd);
        return undefined;
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    if (isStillAt(fd, file)) return fd;
    closeSync(fd);
  }
}

/**
 * A shared lock, for counting: it is had by any number, and nobody gets the file exclusively while one of them has it.
 * Somebody who looks whether it is free has it for a moment: waits that out. Undefined: not in `timeoutMs`.
 */
export async function waitSharedLockFile(file: string, timeoutMs: number): Promise<number | undefined> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const fd = openLockFile(file);
    const locked = closeUnless(fd, () => tryLock(fd, 'shared'));
    if (locked && isStillAt(fd, file)) return fd;
    if (locked) closeSync(fd);
    if (performance.now() > end) return undefined;
    await delay(10);
  }
}

/** Runs `act` under the lock. @throws QrunError `in-use` when the lock does not come within `timeoutMs` */
export async function withLock<T>(file: string, timeoutMs: number, act: () => T | Promise<T>): Promise<T> {
  const fd = await waitLockFile(file, timeoutMs);
  if (fd === undefined)
    throw new QrunError('in-use', `${file} is held by another process, and was not given up in ${timeoutMs / 1000} s`, {
      hint: `fuser -v ${shellWord(file)}`,
    });
  try {
    return await act();
  } finally {
    closeSync(fd);
  }
}

/** Whether the locked descriptor is still the file of that name: a lock on a file that was swapped meanwhile keeps nobody out. */
export function isStillAt(fd: number, file: string): boolean {
  const mine = fstatSync(fd);
  const there = lstatSync(file, { throwIfNoEntry: false });
  return there !== undefined && there.ino === mine.ino && there.dev === mine.dev;
}

function closeUnless(fd: number, act: () => boolean): boolean {
  let kept = false;
  try {
    kept = act();
    return kept;
  } finally {
    if (!kept) closeSync(fd);
  }
}

function lockFailed(said: string, error: Error | undefined): QrunError {
  const reason = said.trim() || (error?.message ?? 'flock failed');
  return new QrunError('host-failed', 'a lock could not be taken', { causes: [reason], cause: error });
}
