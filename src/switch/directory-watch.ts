/**
 * Says when something in a directory may have changed: at once where the kernel tells (inotify can fail, run out or miss), and every few seconds
 * anyway. A directory that is not there yet, or is another one than before, is found by the slow look.
 */
import { statSync, watch } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { Log } from './log.ts';

const slowMs = 2000;
/** Without inotify. */
const eagerMs = 250;

/** What is needed of Node's FSWatcher. */
export interface Watcher {
  close(): void;
  on(event: 'error', listener: () => void): unknown;
}

export interface DirectoryWatchOptions {
  readonly directory: string;
  readonly log: Log;
  readonly look: () => void;
  /** Default: Node's. */
  readonly watch?: (directory: string, listener: () => void) => Watcher;
}

/** Looks once before it returns. Gives what ends it. */
export function watchDirectory({ directory, log, look, ...given }: DirectoryWatchOptions): () => void {
  const startWatch = given.watch ?? watch;
  let watcher: Watcher | undefined;
  let watched: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isWaiting = false;
  function soon(): void {
    if (isWaiting) return;
    isWaiting = true;
    setImmediate(() => {
      isWaiting = false;
      if (watcher !== undefined) look();
    });
  }
  function stop(): void {
    watcher?.close();
    watcher = undefined;
    watched = undefined;
  }
  function start(): void {
    const identity = identityOf(directory);
    if (identity === watched) return;
    stop();
    if (identity === undefined) return;
    try {
      watcher = startWatch(directory, soon);
      watcher.on('error', stop);
      watched = identity;
    } catch (error) {
      const why = errnoOf(error) ?? 'error';
      log.once(`watch ${directory}`, `cannot watch ${directory} (${why}): looking at it often instead`);
    }
  }
  function slowly(): void {
    start();
    look();
    timer = setTimeout(slowly, watcher === undefined ? eagerMs : slowMs);
  }
  slowly();
  return () => {
    clearTimeout(timer);
    stop();
  };
}

function identityOf(directory: string): string | undefined {
  const found = statSync(directory, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev} ${found.ino} ${found.birthtimeNs}`;
}
