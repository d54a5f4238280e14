/**
 * The start of a VM: lock, tidy what a dead run left, take every step, start the waiter, wait until QEMU's main loop runs.
 * Whatever fails after the first change is given back by the same walk that ends a run.
 */
import { closeSync } from 'node:fs';
import path from 'node:path';
import { customAlphabet } from 'nanoid/non-secure';
import { QrunError } from '../errors.ts';
import { failpoint } from '../journal/failpoint.ts';
import { Journal } from '../journal/journal.ts';
import { acquireAll, releaseAll, type Leftover } from '../journal/walk.ts';
import { frontOf } from '../plan/front.ts';
import type { LaunchPlan } from '../plan/launch-plan.ts';
import { startsPaused } from '../qemu/args-clash.ts';
import { NamesTaken } from '../resources/link-names.ts';
import { PortTaken } from '../resources/port-lease.ts';
import { rememberPorts } from '../resources/last-ports.ts';
import { AutoPortTaken } from '../resources/port.ts';
import { resourceOf } from '../resources/registry.ts';
import { CardTaken } from '../resources/vfio.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { delay } from '../system/delay.ts';
import { killProcess, readProcess } from '../system/processes.ts';
import { closeStrayDescriptors } from '../system/stray-descriptors.ts';
import { networkDoor } from './network-door.ts';
import { finishEarlier } from './end.ts';
import { failedStart } from './errors.ts';
import { nicsWithTaps } from './found-taps.ts';
import { throwIfInterrupted } from './interrupt.ts';
import { settleLinks } from './links.ts';
import { rememberMadeDisks } from './made-disks.ts';
import { prepareProfile, type LaunchContext, type Prepared } from './prepare.ts';
import { patienceFor } from './patience.ts';
import { waitUntilRunning } from './ready.ts';
import { removeRun, writeRun, type RunRecord } from './run-record.ts';
import { lockVm } from './vm-lock.ts';
import { shellFor, startWaiter, type Waiter } from './waiter.ts';

export interface Started {
  readonly record: RunRecord;
  readonly pid: number;
  readonly plan: LaunchPlan;
  readonly waiter: Waiter;
}

const newRunId = customAlphabet('0123456789abcdefghijklmnopqrstuvwxyz', 12);
/** Somebody may take the port that an `auto` forward was given before QEMU binds it. */
const autoPortAttempts = 4;
/** Many VMs that start at once choose the same port of a network of root's; at each attempt one of them gets it. So with names of interfaces and with functions of a card. */
const networkPortAttempts = 32;

/** @throws QrunError `in-use` when it runs already, `qemu-failed` with QEMU's own words, or what a step threw */
export async function startVm(prepared: Prepared, context: LaunchContext): Promise<Started> {
  let plan = prepared;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(plan, context);
    } catch (error) {
      const again = [PortTaken, NamesTaken, CardTaken].some((taken) => error instanceof taken);
      if (!again && !(error instanceof AutoPortTaken)) throw error;
      if (attempt >= (again ? networkPortAttempts : autoPortAttempts)) throw error;
      if (again) plan = await prepareProfile(prepared.profile, context);
    }
  }
}

async function startOnce(prepared: Prepared, context: LaunchContext): Promise<Started> {
  const { files, profile } = prepared;
  closeStrayDescriptors();
  ensurePrivateDirectory(files.dir, { uid: context.system.uid });
  const lock = await lockVm(profile.name, context);
  try {
    await finishEarlier(profile.name, context);
    return await startLocked(prepared, context, lock);
  } finally {
    closeSync(lock);
  }
}

/** Under the VM lock, which QEMU inherits; this process's own copy is closed by the caller as soon as QEMU runs. */
async function startLocked(prepared: Prepared, context: LaunchContext, lock: number): Promise<Started> {
  const { files, profile } = prepared;
  const { system } = context;
  const runId = newRunId();
  const startedAt = new Date().toISOString();
  const journal = Journal.begin(files.journal, { v: 1, runId, bootId: system.bootId(), vm: profile.name, startedAt });
  const descriptors = new Map([[3, lock]]);
  let waiter: Waiter | undefined;
  try {
    const steps = prepared.plan.steps.filter((step) => step.kind !== 'vm-lock');
    const records = await acquireAll(steps, {
      journal,
      registry: resourceOf,
      context: { system, runId, descriptors, warn: context.warn, networks: networkDoor(context, prepared.networks) },
    });
    throwIfInterrupted(context);
    const ports = portsOf(records);
    const plan = prepared.replan(ports);
    const record = { ...runRecord(plan, { runId, startedAt, bootId: system.bootId() }), written: profile.nics };
    writeRun(files, record);
    failpoint('spawn');
    waiter = startWaiter({
      shell: shellFor(descriptors, system),
      command: [...frontOf(plan.qemu), plan.qemu.file, ...plan.qemu.argv],
      release: releaseCommand(profile.name, runId),
      descriptors,
      cwd: path.dirname(profile.file),
    });
    failpoint('spawned');
    const running = await waitUntilRunning(files.events, waiter, { ...context, ...patienceFor(plan) });
    if (running.state === 'failed') throw failedStart(plan, files, running.status);
    const pid = running.pid;
    await settleLinks({ plan, pid, steps, records, journal, monitorLock: files.monitorLock }, context);
    const nics = await nicsWithTaps(plan, pid);
    const full = { ...record, nics, pid, startTime: readProcess(pid)?.startTime ?? 0 };
    writeRun(files, full);
    failpoint('running');
    // before the journal says that what was made stays: a full disk here still undoes the start as a whole
    rememberMadeDisks(files, steps, records);
    rememberPorts({ directory: files.dir, ports });
    journal.started();
    return { record: full, pid, plan, waiter };
  } catch (error) {
    throw await undoStart({ error, prepared, context, waiter, runId, descriptors });
  } finally {
    journal.close();
    closeAll(descriptors);
  }
}

/** All but the VM lock, whose copy is the caller's. */
function closeAll(descriptors: Map<number, number>): void {
  for (const [fd, own] of descriptors) {
    if (fd === 3) continue;
    closeSync(own);
    descriptors.delete(fd);
  }
}

interface Undo {
  readonly descriptors: Map<number, number>;
  readonly error: unknown;
  readonly prepared: Prepared;
  readonly context: LaunchContext;
  readonly waiter: Waiter | undefined;
  readonly runId: string;
}

/** Ends whatever was started and gives everything back; the error that is thrown then says what could not be. */
async function undoStart({ error, prepared, context, waiter, runId, descriptors }: Undo): Promise<unknown> {
  const { files, profile } = prepared;
  if (waiter !== undefined) await endWaiterAndQemu(waiter);
  closeAll(descriptors); // a share of a network's lock that we still had would hold the network up
  const { system } = context;
  const left = await releaseAll(files.journal, {
    registry: resourceOf,
    context: { system, runId, sameBoot: true, networks: networkDoor(context) },
  });
  removeRun(files);
  return left.length === 0 ? error : withLeftovers(profile.name, error, left);
}

/** The waiter goes first: its release would only wait for the lock that we hold, and then find nothing to do. */
async function endWaiterAndQemu(waiter: Waiter): Promise<void> {
  let ended = false;
  void waiter.end.then((status) => (ended = status !== undefined));
  const giveUp = new AbortController();
  const pid = await Promise.race([waiter.pid, delay(2000, giveUp.signal).then(() => undefined)]);
  giveUp.abort(); // a timer that goes on would keep this process for its two seconds
  waiter.process.kill('SIGKILL');
  if (pid === undefined || ended) return;
  const startTime = readProcess(pid)?.startTime;
  killProcess(pid);
  while (startTime !== undefined && readProcess(pid)?.startTime === startTime && readProcess(pid)?.state !== 'Z')
    await delay(5);
}

function withLeftovers(vm: string, error: unknown, left: readonly Leftover[]): unknown {
  const causes = left.map(
    ({ step, error: why }) => `${step.id} could not be given back: ${why.message} (qrun gc ${vm})`,
  );
  if (!(error instanceof QrunError)) return error;
  return new QrunError(error.code, error.message, {
    ...(error.hint !== undefined && { hint: error.hint }),
    causes: [...error.causes, ...causes],
    faults: error.faults,
  });
}

function portsOf(records: ReadonlyMap<string, Readonly<Record<string, unknown>>>): Record<string, number> {
  const ports: Record<string, number> = {};
  for (const [id, record] of records)
    if (id.startsWith('port:') && typeof record['port'] === 'number') ports[id] = record['port'];
  return ports;
}

function runRecord(plan: LaunchPlan, run: { runId: string; startedAt: string; bootId: string }): RunRecord {
  const { vm, profile, accel, sockets, nics, shutdownTimeoutS } = plan;
  return {
    v: 1,
    vm,
    ...run,
    profile,
    accel,
    qemu: { file: plan.qemu.file, version: plan.qemu.version },
    sockets,
    nics,
    console: plan.console,
    startsPaused: startsPaused(plan.qemu.argv),
    shutdownTimeoutS,
  };
}

/** Run by the waiter when QEMU ended. */
function releaseCommand(vm: string, runId: string): [string, string, string, string, string] {
  return [process.execPath, process.argv[1] ?? '', '__release', vm, runId];
}
