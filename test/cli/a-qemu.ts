/** A real QEMU, started from an ArgvInput the way the waiter starts it: commands from a file, events to a file, no guest. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildArgv, type ArgvInput } from '../../src/qemu/argv/build.ts';
import { buildMonitorInput } from '../../src/qemu/argv/monitor.ts';
import { connectQmp, type QmpClient } from '../../src/qmp/client.ts';
import { parseJournal, summarise, type JournalSummary } from '../../src/qmp/journal.ts';
import { waitUntil } from '../harness/harness.ts';

export interface StartedQemu {
  readonly directory: string;
  readonly summary: () => JournalSummary;
  readonly log: () => string;
  /** Undefined while it runs. */
  readonly status: () => number | null;
  /** Resolves when it runs or has ended. */
  readonly settled: () => Promise<JournalSummary>;
  readonly qmp: () => Promise<QmpClient>;
  readonly ended: () => Promise<void>;
  readonly dispose: () => Promise<void>;
}

export function temporaryDirectory(): string {
  return mkdtempSync(path.join(os.tmpdir(), 'qrun-qemu-'));
}

/** Starts the QEMU that the input's capabilities name; its sockets are put into `directory`. */
export function startQemu(input: ArgvInput, directory: string): StartedQemu {
  const at = (name: string): string => path.join(directory, name);
  const sockets = { qmp: at('qmp'), console: at('console'), vnc: at('vnc') };
  const full: ArgvInput = { ...input, sockets };
  writeFileSync(at('events.in'), buildMonitorInput(full));
  const append = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
  const fds = [
    openSync(at('events.in'), 'r'),
    openSync(at('events'), append, 0o600),
    openSync(at('log'), append, 0o600),
    openSync(at('lock'), append, 0o600),
    openSync(at('console.log'), append, 0o600),
  ];
  const child = spawn(input.capabilities.file, buildArgv(full), { stdio: fds });
  for (const fd of fds) closeSync(fd);
  const summary = (): JournalSummary => summarise(parseJournal(readFileSync(at('events'), 'utf8')));
  const over = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    directory,
    summary,
    log: () => readFileSync(at('log'), 'utf8'),
    status: () => child.exitCode,
    settled: async () => {
      await waitUntil(() => over() || summary().started, 30_000);
      return summary();
    },
    qmp: () => connectQmp(sockets.qmp),
    ended: async () => {
      await waitUntil(over, 30_000);
    },
    dispose: () => disposeOf(child, over),
  };
}

async function disposeOf(child: ChildProcess, over: () => boolean): Promise<void> {
  if (!over()) child.kill('SIGKILL');
  await waitUntil(over, 30_000);
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}
