/** Long-lived children, by node:child_process: the waiter, and programs that take over the terminal. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface WaiterProcess {
  readonly pid: number;
  readonly onStatus: (listener: (text: string) => void) => void;
  readonly onExit: (listener: () => void) => void;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Lets this process end while the child goes on. */
  readonly forget: () => void;
}

/** Starts the waiter in a session of its own. The last of `stdio` is the pipe on which it tells its status. @throws Error when it cannot be started */
export function spawnWaiter(
  file: string,
  args: readonly string[],
  options: { readonly stdio: readonly (number | 'ignore' | 'pipe')[]; readonly cwd: string },
): WaiterProcess {
  const child = spawn(file, args, { detached: true, cwd: options.cwd, stdio: [...options.stdio] });
  const status = child.stdio[options.stdio.length - 1] as Readable & { unref?: () => void };
  if (child.pid === undefined) {
    child.on('error', () => {});
    throw new Error(`${file} could not be started in ${options.cwd}`);
  }
  status.setEncoding('utf8');
  status.on('error', () => {});
  return {
    pid: child.pid,
    onStatus: (listener) => status.on('data', listener),
    onExit: (listener) => child.on('close', listener),
    kill: (signal) => child.kill(signal),
    forget: () => {
      child.unref();
      status.destroy();
    },
  };
}

/** Runs a program on the user's own terminal and gives its exit status; 128+n for a signal. @throws Error when it cannot be started */
export function runOnTerminal(
  file: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', ...(options.env && { env: options.env }) });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128 + (signalNumbers[signal] ?? 0))));
  });
}

const signalNumbers: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGTERM: 15,
};
