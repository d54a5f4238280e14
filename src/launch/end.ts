/**
 * The end of a run, whoever brings it about: the waiter after QEMU, `stop`, `kill`, a foreground run, the next start, `gc`. All of them call this;
 * it works under the VM lock, which is free only when QEMU is gone, and doing it twice is doing it once.
 */
import { closeSync, existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { orNone, QrunError } from '../errors.ts';
import { readJournal, type JournalContent } from '../journal/journal.ts';
import { releaseAll, throwIfLeft, type Leftover } from '../journal/walk.ts';
import { failpoint } from '../journal/failpoint.ts';
import type { VmName } from '../names.ts';
import { vmFiles, type VmFiles } from '../plan/vm-files.ts';
import { parseJournal, summarise } from '../qmp/journal.ts';
import { resourceOf } from '../resources/registry.ts';
import { delay } from '../system/delay.ts';
import { readTail } from '../system/files.ts';
import { tryLockFile } from '../system/flock.ts';
import { networkDoor } from './network-door.ts';
import type { LaunchContext } from './prepare.ts';
import { readEnd, readRun, removeRun, writeEnd, type EndRecord } from './run-record.ts';

export interface EndOptions {
  /** Only this run; another one under that name is left alone. */
  readonly runId?: string;
  readonly qemuStatus?: number;
  /** How long to wait for the lock: a start or a release may hold it for a moment. */
  readonly waitMs?: number;
}

/**
 * Gives back what a run took, once QEMU is gone.
 * @returns how the run ended, or undefined when the VM still runs, or nothing was to be done
 * @throws QrunError `left-behind`
 */
export async function finishRun(
  vm: VmName,
  context: LaunchContext,
  options: EndOptions = {},
): Promise<EndRecord | undefined> {
  const files = vmFiles(context.places, vm);
  if (!existsSync(files.dir) || !existsSync(files.lock)) return readEndOf(files, options.runId);
  let lock = tryLockFile(files.lock);
  for (let waitedMs = 0; lock === undefined; waitedMs += 50) {
    if (!isOurs(files, options.runId) || waitedMs >= (options.waitMs ?? 10_000)) return readEndOf(files, options.runId);
    await delay(50);
    lock = tryLockFile(files.lock);
  }
  try {
    if (isOurs(files, options.runId)) throwIfLeft(vm, await finishLocked(vm, context, options.qemuStatus));
    else throwIfOthersLeft(vm, readEndOf(files, options.runId), options);
    return readEndOf(files, options.runId);
  } finally {
    closeSync(lock);
  }
}

/** The same for whoever holds the VM lock already. @returns what could not be given back */
export async function finishLocked(
  vm: VmName,
  context: LaunchContext,
  qemuStatus?: number,
): Promise<readonly Leftover[]> {
  const files = vmFiles(context.places, vm);
  readRun(files); // one of a newer qrun is refused before anything is touched
  const content = readJournal(files.journal);
  if (content?.started === true)
    noteEnd(files, context, endRecord({ vm, files, content, bootId: context.system.bootId(), qemuStatus }));
  failpoint('ended');
  const { system } = context;
  const left = await releaseAll(files.journal, {
    registry: resourceOf,
    context: {
      system,
      runId: content?.head.runId ?? '',
      networks: networkDoor(context),
      sameBoot: content === undefined || content.head.bootId === system.bootId(),
    },
  });
  const end = left.length === 0 || content?.started !== true ? undefined : orNone(() => readEnd(files));
  if (end !== undefined)
    noteEnd(files, context, { ...end, problems: left.map(({ step, error }) => `${step.id}: ${error.message}`) });
  removeRun(files);
  return left;
}

/** How it ended is worth to be known, and what it held is worth more: a disk that is full keeps nothing from being given back. */
function noteEnd(files: VmFiles, { warn }: LaunchContext, end: EndRecord): void {
  try {
    writeEnd(files, end);
  } catch (error) {
    if (!(error instanceof QrunError)) throw error;
    warn(`${end.vm}: how it ended is not noted: ${error.message}`);
  }
}

/**
 * Before a start: what an earlier run left is given back; what cannot be is told, and its journal is set aside for `gc`, so that a hook that always
 * fails, or a disk that is gone, keeps nobody from starting the VM.
 */
export async function finishEarlier(vm: VmName, context: LaunchContext): Promise<void> {
  const files = vmFiles(context.places, vm);
  readEnd(files); // nor would this run's end be noted over one of a newer qrun
  const left = await finishLocked(vm, context);
  if (left.length === 0) return;
  const { journal } = files;
  renameSync(journal, `${journal}.${readJournal(journal)?.head.runId ?? 'old'}`);
  for (const { step, error } of left)
    context.warn(`${vm}: an earlier run left ${step.id} behind: ${error.message}; qrun gc ${vm}`);
}

/** Journals that starts have set aside. @returns what still cannot be given back */
export async function finishSetAside(vm: VmName, context: LaunchContext): Promise<readonly Leftover[]> {
  const left: Leftover[] = [];
  for (const journal of listSetAside(vmFiles(context.places, vm))) {
    const head = readJournal(journal)?.head;
    const { system } = context;
    left.push(
      ...(await releaseAll(journal, {
        registry: resourceOf,
        context: {
          system,
          runId: head?.runId ?? '',
          sameBoot: head?.bootId === system.bootId(),
          networks: networkDoor(context),
        },
      })),
    );
  }
  return left;
}

export function listSetAside({ dir }: VmFiles): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => name.startsWith('journal.'))
    .map((name) => path.join(dir, name));
}

/** Another release of this very run was faster, and had problems: they are told here all the same. */
function throwIfOthersLeft(vm: VmName, end: EndRecord | undefined, { runId }: EndOptions): void {
  if (runId === undefined || end?.problems === undefined) return;
  throw new QrunError('left-behind', `${vm}: something could not be given back`, {
    causes: end.problems,
    hint: `mend that, then: qrun gc ${vm}`,
  });
}

/** No journal: nothing is held. */
function isOurs(files: VmFiles, runId: string | undefined): boolean {
  if (runId === undefined) return true;
  return readJournal(files.journal)?.head.runId === runId;
}

function readEndOf(files: VmFiles, runId: string | undefined): EndRecord | undefined {
  const end = orNone(() => readEnd(files));
  return runId === undefined || end?.runId === runId ? end : undefined;
}

interface Ended {
  readonly vm: VmName;
  readonly files: VmFiles;
  readonly content: JournalContent;
  readonly bootId: string;
  readonly qemuStatus: number | undefined;
}

function endRecord({ vm, files, content, bootId, qemuStatus }: Ended): EndRecord {
  const reason = content.head.bootId === bootId ? reasonOf(files, content.head.runId) : 'lost';
  return {
    v: 1,
    vm,
    runId: content.head.runId,
    startedAt: readRun(files)?.startedAt ?? content.head.startedAt,
    endedAt: new Date().toISOString(),
    reason,
    status: reason === 'crashed' || reason === 'guest-panic' || reason === 'host-error' || reason === 'lost' ? 1 : 0,
    ...(qemuStatus !== undefined && { qemuStatus }),
  };
}

/** QEMU's exit status tells nothing (0 for a power-off, a `quit` and a SIGTERM alike); the last SHUTDOWN event does. */
function reasonOf(files: VmFiles, runId: string): string {
  const { shutdownReason } = summarise(parseJournal(readTail(files.events, 65_536)));
  if (shutdownReason !== undefined) return shutdownReason;
  return readEnding(files)?.startsWith(`kill ${runId}`) === true ? 'killed' : 'crashed';
}

function readEnding(files: VmFiles): string | undefined {
  try {
    return readFileSync(files.ending, 'utf8');
  } catch {
    return undefined;
  }
}
