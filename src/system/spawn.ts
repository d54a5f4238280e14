/** Long-lived children, by node:child_process: the waiter, and programs that take over the terminal. */
import { spawn } from 'node:child_process';
import { closeSync, constants } from 'node:fs';
import type { Readable } from 'node:stream';
import { QrunError } from '../errors.ts';
import { openRegular } from './regular-file.ts';

export interface WaiterProcess {
  readonly pid: number;
  readonly onStatus: (listener: (text: string) => void) => void;
  readonly onExit: (listener: () => void) => void;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Lets this process end while the child goes on. */
  readonly forget: () => void;
}

/** Starts the waiter in a session of its own. `statusFd` is the pipe on which it tells its status; an `ignore` behind number 2 is simply not there. @throws Error when it cannot be started */
export function spawnWaiter(
  file: string,
  args: readonly string[],
  options: { readonly stdio: readonly (number | 'ignore' | 'pipe')[]; readonly statusFd: number; readonly cwd: string },
): WaiterProcess {
  const child = spawn(file, args, { detached: true, cwd: options.cwd, stdio: [...options.stdio] });
  const status = child.stdio[options.statusFd] as Readable & { unref?: () => void };
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

/**
 * Runs a program on the user's own terminal and gives its exit status; 128+n for a signal. What the terminal sends, the program gets from the terminal;
 * what is sent to this process is handed on. @throws Error when it cannot be started
 */
export function runOnTerminal(
  file: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const ignore = (): void => {};
    const handOn = (signal: NodeJS.Signals): void => void child.kill(signal);
    // before the program runs: a signal that comes as soon as it does would end us, and leave it
    for (const signal of ofTheTerminal) process.on(signal, ignore);
    for (const signal of ofOthers) process.on(signal, handOn);
    const child = spawn(file, args, { stdio: 'inherit', ...(options.env && { env: options.env }) });
    const done = (): void => {
      for (const signal of ofTheTerminal) process.off(signal, ignore);
      for (const signal of ofOthers) process.off(signal, handOn);
    };
    child.once('error', (error) => {
      done();
      reject(error);
    });
    child.once('exit', (code, signal) => {
      done();
      resolve(code ?? (signal === null ? 1 : 128 + (signalNumbers[signal] ?? 0)));
    });
  });
}

const ofTheTerminal = ['SIGINT', 'SIGQUIT'] as const;
const ofOthers = ['SIGTERM', 'SIGHUP'] as const;

const signalNumbers: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGTERM: 15,
};

/**
 * Starts a program in a session of its own that goes on when this process ends: nothing of ours is inherited but what is given here.
 * @throws QrunError `host-failed`
 */
export function spawnDetached(
  file: string,
  args: readonly string[],
  options: { readonly log: string; readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string },
): number {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
  const log = openRegular(options.log, { code: 'unsafe-state', flags })?.fd;
  if (log === undefined) throw new QrunError('host-failed', `${options.log} vanished while it was opened`);
  try {
    const child = spawn(file, args, {
      detached: true,
      cwd: options.cwd,
      env: options.env,
      stdio: ['ignore', log, log],
    });
    child.on('error', () => {});
    if (child.pid === undefined) throw new QrunError('host-failed', `${file} could not be started in ${options.cwd}`);
    child.unref();
    return child.pid;
  } finally {
    closeSync(log);
  }
}
