/**
 * Says when something in a directory may have changed: at once where the kernel tells (inotify can fail, run out or miss), and every few seconds
 * anyway. A directory that is not there yet, or is another one than before, is found by the slow look.
 */
import { statSync, watch, type FSWatcher } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { Log } from './log.ts';

const slowMs = 2000;
/** Without inotify. */
const eagerMs = 250;

export function watchDirectory(directory: string, log: Log, look: () => void): void {
  let watcher: FSWatcher | undefined;
  let watched: bigint | undefined;
  let isWaiting = false;
  function soon(): void {
    if (isWaiting) return;
    isWaiting = true;
    setImmediate(() => {
      isWaiting = false;
      look();
    });
  }
  function stop(): void {
    watcher?.close();
    watcher = undefined;
    watched = undefined;
  }
  function start(): void {
    const inode = statSync(directory, { bigint: true, throwIfNoEntry: false })?.ino;
    if (inode === watched) return;
    stop();
    if (inode === undefined) return;
    try {
      watcher = watch(directory, soon).on('error', stop);
      watched = inode;
    } catch (error) {
      log.once(
        `watch ${directory}`,
        `cannot watch ${directory} (${errnoOf(error) ?? 'error'}): looking at it often instead`,
      );
    }
  }
  function slowly(): void {
    start();
    look();
    setTimeout(slowly, watcher === undefined ? eagerMs : slowMs);
  }
  slowly();
}
