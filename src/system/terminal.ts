/** The terminal, or whatever stands in its place, that qrun was started on. */
import process from 'node:process';

export interface Terminal {
  /** Both ends are a terminal: keys go to the guest one by one. */
  readonly isInteractive: boolean;
  /** Raw mode until the returned function is called, or the process ends, however it ends. */
  readonly setRaw: () => () => void;
  /** Listens to input; its end is not reported. Returns how to stop. */
  readonly onInput: (listener: (chunk: Buffer) => void) => () => void;
  readonly write: (chunk: Uint8Array) => Promise<void>;
}

export function ownTerminal(): Terminal {
  const { stdin, stdout } = process;
  return {
    isInteractive: stdin.isTTY === true && stdout.isTTY === true,
    setRaw: () => {
      const restore = (): void => {
        if (stdin.isTTY) stdin.setRawMode(false);
      };
      stdin.setRawMode(true);
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
    write: (chunk) =>
      new Promise((resolve) => {
        if (stdout.write(chunk)) resolve();
        else stdout.once('drain', resolve);
      }),
  };
}
