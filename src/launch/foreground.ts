/** A run in the foreground: the same start as a detached one, plus an attached console, plus what the keys and signals of a terminal mean. */
import { existsSync } from 'node:fs';
import { ClosedOutput, QrunError } from '../errors.ts';
import { attachConsole, type ConsoleOptions } from '../supervise/console.ts';
import { stopQemu, type StopTarget } from '../supervise/stop.ts';
import type { Rung } from '../supervise/ladder.ts';
import { delay } from '../system/delay.ts';
import { isAlive } from '../system/processes.ts';
import { signalNumber, onSignals } from '../system/signals.ts';
import type { Terminal } from '../system/terminal.ts';
import { finishRun } from './end.ts';
import { catchInterruption, endingSignals } from './interrupt.ts';
import type { LaunchContext, Prepared } from './prepare.ts';
import { startVm, type Started } from './start.ts';

export interface ForegroundContext extends LaunchContext {
  readonly note: (message: string) => void;
  readonly terminal: Terminal;
}

/** @returns the exit status: 0 or 1 as the guest ended, 128+n when signal n ended qrun, 0 when the person left the console */
export async function runForeground(prepared: Prepared, context: ForegroundContext): Promise<number> {
  const { profile, files } = prepared;
  const early = catchInterruption();
  const started = await startVm(prepared, { ...context, interrupted: early.signal });
  const ended = new AbortController();
  const gone = waitUntilGone(started).finally(() => ended.abort());
  const signals = obeySignals(started, prepared, context);
  early.ignore();
  if (early.signal.aborted) signals.press(early.signal.reason as NodeJS.Signals);
  context.note(greeting(started, context));
  try {
    if (profile.console === 'stdio') {
      const { console: socket } = started.record.sockets;
      const how = await attachOrGoOn(context, {
        vm: profile.name,
        socket,
        log: files.consoleLog,
        lock: files.consoleLock,
        offset: 0,
        terminal: context.terminal,
        ended: ended.signal,
      });
      if (how === 'left') return leave(started, context);
    }
    const qemuStatus = await gone;
    const end = await finishRun(profile.name, context, {
      runId: started.record.runId,
      ...(qemuStatus !== undefined && { qemuStatus }),
    });
    if (end !== undefined && end.status !== 0)
      context.warn(`${profile.name}: ${end.reason}; qrun logs ${profile.name}`);
    return signals.received === undefined ? (end?.status ?? 1) : 128 + signals.received;
  } finally {
    signals.ignore();
  }
}

/** A guest is not ended because nobody reads what it writes: that is told, and its console goes on into its log. */
async function attachOrGoOn(context: ForegroundContext, options: ConsoleOptions): Promise<'left' | 'ended'> {
  try {
    return await attachConsole(options);
  } catch (error) {
    if (!(error instanceof ClosedOutput) && !(error instanceof QrunError && error.code === 'host-failed')) throw error;
    context.note(`${options.vm}: ${error.message}; it runs on: qrun logs ${options.vm}, qrun stop ${options.vm}`);
    return 'ended';
  }
}

function greeting({ record, pid }: Started, { terminal }: ForegroundContext): string {
  const keys = record.console === 'stdio' && terminal.isInteractive ? '; Ctrl-] leaves its console' : '';
  return `${record.vm} runs, pid ${pid}${keys}`;
}

function leave(started: Started, context: ForegroundContext): number {
  const { vm } = started.record;
  started.waiter.process.forget();
  context.note(`\r\n${vm} runs on: qrun console ${vm}, qrun stop ${vm}`);
  return 0;
}

/** The waiter tells; if it was killed, QEMU itself is watched. @returns QEMU's exit status where it is known */
async function waitUntilGone({ waiter, record, pid }: Started): Promise<number | undefined> {
  const status = await waiter.end;
  if (status !== undefined) return status;
  const identity = { pid, startTime: record.startTime ?? 0, bootId: record.bootId };
  while (isAlive(identity)) await delay(100);
  return undefined;
}

interface Signals {
  /** The number of the signal that asked qrun to end; an interrupt from the keyboard is a wish for the guest, and does not count. */
  received: number | undefined;
  readonly press: (signal: NodeJS.Signals) => void;
  ignore: () => void;
}

const rungs: readonly Rung[] = ['power-down', 'quit', 'kill'];

/** The first signal powers the guest down, the second does not wait any longer, the third pulls the plug. */
function obeySignals(started: Started, { files, profile }: Prepared, context: ForegroundContext): Signals {
  const { record, pid } = started;
  const target: StopTarget = {
    vm: profile.name,
    qmp: record.sockets.qmp,
    lock: files.monitorLock,
    process: { pid, startTime: record.startTime ?? 0, bootId: record.bootId },
  };
  let presses = 0;
  let climbing = new AbortController();
  const press = (signal: NodeJS.Signals): void => {
    if (signal !== 'SIGINT') signals.received ??= signalNumber(signal);
    const wanted = rungs[Math.min(presses, rungs.length - 1)] ?? 'kill';
    // without its socket nobody can ask the guest, nor QEMU
    const from = wanted === 'kill' || existsSync(target.qmp) ? wanted : 'terminate';
    presses += 1;
    climbing.abort();
    climbing = new AbortController();
    context.note(`${profile.name}: ${wordsFor[from]}`);
    stopQemu(target, { timeoutMs: profile.shutdown.timeoutS * 1000, from, signal: climbing.signal }).catch(
      (error: unknown) => context.warn(`${profile.name}: ${error instanceof Error ? error.message : String(error)}`),
    );
  };
  const signals: Signals = { received: undefined, press, ignore: onSignals(endingSignals, press) };
  return signals;
}

const wordsFor: Readonly<Record<Rung, string>> = {
  'power-down': 'powering down; again to end QEMU',
  quit: 'ending QEMU; again to kill it',
  terminate: 'terminating QEMU',
  kill: 'killing QEMU',
};
