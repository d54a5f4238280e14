/** What is appended to a file, as it comes. */
import { closeSync, constants, openSync, readSync, watch, type FSWatcher } from 'node:fs';

export interface FollowFileOptions {
  /** Byte to begin with. */
  readonly offset: number;
  /** Aborted: what is there by then is still given, and that is the end. */
  readonly signal: AbortSignal;
}

const chunkBytes = 64 * 1024;
/** The watch tells at once; where it cannot be had, or misses one, the look every so often finds it. */
const lookEveryMs = 100;

/** @throws Error of Node's when the file cannot be opened */
export async function* followFile(file: string, { offset, signal }: FollowFileOptions): AsyncGenerator<Buffer, void> {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  const changes = watchChanges(file, signal);
  try {
    for (let at = offset; ;) {
      const over = signal.aborted;
      const buffer = Buffer.allocUnsafe(chunkBytes);
      const length = readSync(fd, buffer, 0, chunkBytes, at);
      at += length;
      if (length > 0) yield buffer.subarray(0, length);
      else if (over) return;
      else await changes.next();
    }
  } finally {
    changes.close();
    closeSync(fd);
  }
}

interface Changes {
  /** Resolves at a change, at the abort, or after a moment. */
  readonly next: () => Promise<void>;
  readonly close: () => void;
}

function watchChanges(file: string, signal: AbortSignal): Changes {
  let wake = (): void => {};
  let changed = false;
  const onChange = (): void => {
    changed = true;
    wake();
  };
  const watcher = startWatch(file, onChange);
  signal.addEventListener('abort', onChange);
  return {
    next: () =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, changed ? 0 : lookEveryMs);
        changed = false;
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    close: () => {
      watcher?.close();
      signal.removeEventListener('abort', onChange);
    },
  };
}

/** Undefined where no watch is to be had: the host's limit of them is reached. */
function startWatch(file: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(file, { persistent: true }, onChange);
    watcher.on('error', () => {});
    return watcher;
  } catch {
    return undefined;
  }
}
