/**
 * Theory of operation
 *
 * A run's journal is one file of JSON lines in the VM's state directory, written and read only under the VM lock:
 *
 *     {"v":1,"runId":…,"bootId":…,"vm":…}      the head, once
 *     {"intent":STEP}                          before a step is acquired
 *     {"record":ID,"value":…}                  after it: what the release needs that the step did not know
 *     {"started":true}                         QEMU's main loop runs
 *     {"released":ID}                          the step is given back
 *
 * An intent without a record may or may not have happened; its release looks for itself. Every name that a release needs is in the
 * step, so a normal end, a failed start, and `gc` after a SIGKILL are one walk over this file, last in first out. A line that was
 * cut short by a kill is the last one and says nothing. The lines are not synced to the disk one by one: what they speak of (sockets,
 * processes, temporary files) does not outlive a power cut in a way that a lost line could hurt, and a synced line costs
 * milliseconds. The file survives any kill of any process.
 */
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import type { Step } from '../plan/step.ts';
import { failureOf } from '../system/failure.ts';
import { readOwned } from '../system/regular-file.ts';
import { newerState } from '../system/state-files.ts';

export interface JournalHead {
  readonly v: 1;
  readonly runId: string;
  readonly bootId: string;
  readonly vm: string;
  readonly startedAt: string;
}

/** What acquiring a step found out: JSON-safe. */
export type StepRecord = Readonly<Record<string, string | number | boolean | null>>;

export interface JournalEntry {
  readonly step: Step;
  readonly record?: StepRecord;
  readonly released: boolean;
}

export interface JournalContent {
  readonly head: JournalHead;
  readonly entries: readonly JournalEntry[];
  /** QEMU came up: what was made to last (disks) stays. */
  readonly started: boolean;
}

type Line =
  | JournalHead
  | { readonly intent: Step }
  | { readonly record: string; readonly value: StepRecord }
  | { readonly started: true }
  | { readonly released: string };

/** A launch writes some 20 KB. */
const maxJournalBytes = 64 * 1024 * 1024;

export class Journal {
  readonly path: string;
  #fd: number | undefined;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** Begins a journal; there must be none. */
  static begin(path: string, head: JournalHead): Journal {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_NOFOLLOW;
    const journal = new Journal(path, open(path, flags));
    journal.#append(head);
    return journal;
  }

  /** Goes on with a journal that is there. */
  static resume(path: string): Journal {
    return new Journal(path, openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW));
  }

  intent(step: Step): void {
    this.#append({ intent: step });
  }

  record(step: Step, value: StepRecord): void {
    this.#append({ record: step.id, value });
  }

  started(): void {
    this.#append({ started: true });
  }

  released(step: Step): void {
    this.#append({ released: step.id });
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Everything is given back. */
  remove(): void {
    this.close();
    rmSync(this.path, { force: true });
  }

  #append(line: Line): void {
    if (this.#fd === undefined) return;
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#fd, bytes, done);
    } catch (error) {
      throw failureOf(this.path, error, 'cannot write it');
    }
  }
}

function open(path: string, flags: number): number {
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    throw failureOf(path, error, 'cannot create it');
  }
}

/**
 * Undefined when there is no journal, or when not even its head was written (then nothing was acquired either).
 * @throws QrunError `newer-state`: a newer qrun's journal is left to it
 */
export function readJournal(path: string): JournalContent | undefined {
  const read = readOwned(path, { maxBytes: maxJournalBytes, code: 'unsafe-state' });
  if (read === undefined) return undefined;
  let head: JournalHead | undefined;
  let started = false;
  const entries = new Map<string, { step: Step; record?: StepRecord; released: boolean }>();
  for (const text of read.text.split('\n')) {
    const line = parseLine(text);
    if (line === undefined) continue;
    if ('runId' in line) head = checkVersion(path, line);
    else if ('intent' in line) entries.set(line.intent.id, { step: line.intent, released: false });
    else if ('started' in line) started = true;
    else if ('record' in line) {
      const entry = entries.get(line.record);
      if (entry !== undefined) entry.record = line.value;
    } else {
      const entry = entries.get(line.released);
      if (entry !== undefined) entry.released = true;
    }
  }
  return head === undefined ? undefined : { head, entries: [...entries.values()], started };
}

function checkVersion(path: string, head: JournalHead): JournalHead {
  const version: number = head.v;
  if (version <= 1) return head;
  throw newerState(path, version);
}

function parseLine(text: string): Line | undefined {
  if (text === '') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Line) : undefined;
  } catch {
    return undefined; // cut short by a kill
  }
}
