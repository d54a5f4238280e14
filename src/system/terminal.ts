/** The terminal, or whatever stands in its place, that qrun was started on. */
import { closeSync, openSync, write as writeTo } from 'node:fs';
import process from 'node:process';
import { isatty } from 'node:tty';
import { ClosedOutput, errnoOf } from '../errors.ts';
import { delay } from './delay.ts';
import { failureOf } from './failure.ts';

export interface Terminal {
  /** Both ends are a terminal: keys go to the guest one by one. */
  readonly isInteractive: boolean;
  /** Raw mode until the returned function is called, or the process ends, however it ends. */
  readonly setRaw: () => () => void;
  /** Listens to input; its end is not reported. Returns how to stop. */
  readonly onInput: (listener: (chunk: Buffer) => void) => () => void;
  /** All of it. @throws ClosedOutput when nobody reads any more, QrunError `host-failed` when it cannot be written */
  readonly write: (chunk: Uint8Array) => Promise<void>;
}

export function ownTerminal(): Terminal {
  const { stdin } = process;
  surviveHangUp();
  return {
    isInteractive: isatty(0) && isatty(1),
    setRaw: () => {
      const restore = (): void => setRawMode(false);
      setRawMode(true);
      process.once('exit', restore);
      return () => {
        process.off('exit', restore);
        restore();
      };
    },
    onInput: (listener) => {
      stdin.on('data', listener);
      stdin.on('error', () => {});
      stdin.resume();
      return () => {
        stdin.off('data', listener);
        stdin.pause();
        (stdin as { unref?: () => void }).unref?.();
      };
    },
    write: writeAll,
  };
}

/** A terminal that went away has no mode to set. */
function setRawMode(raw: boolean): void {
  try {
    if (process.stdin.isTTY) process.stdin.setRawMode(raw);
  } catch {
    // closed
  }
}

/**
 * Node puts the terminal back as it was when the process ends, and aborts if the terminal is gone by then; a descriptor that is another
 * file meanwhile is left alone.
 */
function surviveHangUp(): void {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  process.once('exit', () => {
    for (const fd of terminals) {
      if (isatty(fd)) continue;
      closeSync(fd);
      openSync('/dev/null', 'r+'); // the lowest number that is free: the same
    }
  });
}

async function writeAll(chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    try {
      done += await writeSome(chunk.subarray(done));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EAGAIN') await delay(5);
      else if (errno === 'EPIPE' || errno === 'EIO') throw new ClosedOutput('stdout was closed');
      else throw failureOf('stdout', error, 'cannot write to it');
    }
  }
}

const writeSome = (bytes: Uint8Array): Promise<number> =>
  new Promise((resolve, reject) => {
    writeTo(1, bytes, (error, written) => (error === null ? resolve(written) : reject(error)));
  });
