/** The end of a network, whoever brings it about: the last VM's release, the watcher, `net down`, `gc`. Twice is once. */
import { closeSync, existsSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { readJournal } from '../journal/journal.ts';
import { releaseAll, whyLeft, type Leftover } from '../journal/walk.ts';
import { hostNetworkOf } from '../network/network-plan.ts';
import type { NetworkName } from '../network/network.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import { registryFor } from '../resources/of-bridges.ts';
import type { NetworkContext } from './context.ts';
import { listHostNetworkNames } from './host-networks.ts';
import { isUnused, withNetworkLock } from './lock.ts';
import { listMembers } from './members.ts';
import { requireKnownRegistry } from './newer-state.ts';
import { readNetworkRecord, removeNetworkRecord, type NetworkRecord } from './record.ts';
import { delay } from '../system/delay.ts';
import { findHolders } from '../system/processes.ts';

/** Gives back all that the network took; under its lock. @returns what could not be */
export async function endLocked(files: NetworkFiles, { system }: NetworkContext): Promise<readonly Leftover[]> {
  const { head, entries = [] } = readJournal(files.journal) ?? {};
  const context = { system, runId: head?.runId ?? '', sameBoot: head === undefined || head.bootId === system.bootId() };
  const registry = await registryFor(entries.map(({ step }) => step));
  const left = await releaseAll(files.journal, { registry, context });
  // where an earlier end could not end the programs, their sockets kept the directories, and nobody would come again
  if (left.length === 0)
    for (const { step, record, released } of entries.toReversed())
      if (released && step.kind === 'directory')
        await registry(step).release(step, record, { ...context, started: true });
  removeNetworkRecord(files);
  rmSync(files.members, { recursive: true, force: true });
  removeIfEmpty(path.dirname(files.runtimeDir));
  return left;
}

/** And nobody takes it up again: what was made on the spot is nothing without it. */
export async function endWhole(files: NetworkFiles, context: NetworkContext): Promise<readonly Leftover[]> {
  const left = await endLocked(files, context);
  if (left.length === 0) rmSync(files.spot, { force: true });
  return left;
}

/** The directory of all networks' sockets goes with the last of them. */
export function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errnoOf(error) ?? '')) throw error;
  }
}

export interface EndOptions {
  /** Only this run of it. */
  readonly runId?: string;
}

/** `in-use`: somebody is on it. */
export type EndOutcome = 'over' | 'in-use';

/** Ends a network that nobody is on and nobody pinned; else does nothing. @throws QrunError `left-behind`, `in-use` (somebody else is at work on it) */
export async function endIfUnused(
  name: NetworkName,
  context: NetworkContext,
  { runId }: EndOptions = {},
): Promise<EndOutcome> {
  const files = networkFiles(context.places, name);
  if (!isHeld(files)) return 'over';
  return await withNetworkLock({ name, files }, context, () =>
    endUnusedLocked(name, context, { ...(runId && { runId }) }),
  );
}

/** The same for whoever has the lock. */
export async function endUnusedLocked(
  name: NetworkName,
  context: NetworkContext,
  { runId }: EndOptions = {},
): Promise<EndOutcome> {
  const files = networkFiles(context.places, name);
  const record = readNetworkRecord(files);
  if (!isHeld(files) || record?.pinned === true) return 'over';
  requireKnownRegistry(name, context);
  if (runId !== undefined && readJournal(files.journal)?.head.runId !== runId) return 'over';
  if (!(await isLeft(files))) return 'in-use';
  return await withPortsLocked(record, async (busy) => {
    if (busy.length > 0) return 'in-use';
    throwIfLeft(name, await endWhole(files, context));
    return 'over';
  });
}

const briefMs = 2000;

/** The watcher looks by locking, for a moment: where nobody is known to be on it, that moment is waited out, and the end does not hang on the watcher alone. */
async function isLeft(files: NetworkFiles): Promise<boolean> {
  for (const end = performance.now() + briefMs; ; await delay(10)) {
    if (isUnused(files)) return true;
    if (listMembers(files).length > 0 || performance.now() > end) return false;
  }
}

/** Somebody was killed while he took it down: some of it is given back, whatever its record says. */
export const isHalfGone = (files: Pick<NetworkFiles, 'journal'>): boolean =>
  readJournal(files.journal)?.entries.some(({ released }) => released) === true;

/** Something of it is there, whole or half. */
export const isHeld = (files: NetworkFiles): boolean => existsSync(files.journal) || existsSync(files.record);

/**
 * `net down`. @returns false when it was not up
 * @throws QrunError `in-use` with VMs on it, unless `force`: then they are unplugged, and live on
 */
export async function takeDown(name: NetworkName, force: boolean, context: NetworkContext): Promise<boolean> {
  const files = networkFiles(context.places, name);
  if (!isHeld(files) && !isLost(name, context)) return false;
  return await withNetworkLock({ name, files }, context, async () => {
    requireKnownRegistry(name, context);
    if (!isHeld(files)) {
      const lost = await (await import('./end-lost.ts')).endLost(name, { force }, context);
      throwIfLeft(name, lost?.left ?? []);
      return lost !== undefined;
    }
    if (!isUnused(files)) {
      if (!force) throw await inUse(name, files, context);
      await (await import('./unplug.ts')).unplug(files, context);
    }
    const left = await endPorts(name, force, context);
    // those that were unplugged go on sharing the lock of the old file: they are not counted on what comes after
    if (force) rmSync(files.users, { force: true });
    throwIfLeft(name, left);
    return true;
  });
}

const isLost = (name: NetworkName, context: NetworkContext): boolean =>
  context.system.uid === 0 && listHostNetworkNames(context.places).includes(name);

async function endPorts(name: NetworkName, force: boolean, context: NetworkContext): Promise<readonly Leftover[]> {
  const files = networkFiles(context.places, name);
  return await withPortsLocked(readNetworkRecord(files), async (busy) => {
    if (busy.length > 0 && !force) {
      throw new QrunError('in-use', `network ${name}: in use: ${busy.join(', ')}`, {
        hint: `stop ${busy.length === 1 ? 'it' : 'them'}, or: sudo qrun net down ${name} --force (unplugs)`,
      });
    }
    return await endWhole(files, context);
  });
}

/** While it goes, nobody takes a port of it. @param act is told which are in use, and by whom: nothing else counts ordinary users' VMs */
export async function withPortsLocked<T>(
  record: NetworkRecord | undefined,
  act: (busy: readonly string[]) => Promise<T>,
): Promise<T> {
  const host = record === undefined ? undefined : hostNetworkOf(record.plan);
  if (host === undefined || host.ports.length === 0) return await act([]);
  const { locks, busy } = (await import('./port-users.ts')).lockPorts(host);
  try {
    return await act(busy);
  } finally {
    for (const fd of locks) closeSync(fd);
  }
}

async function inUse(name: NetworkName, files: NetworkFiles, { system }: NetworkContext): Promise<QrunError> {
  const own = [...new Set(listMembers(files).map(({ vm }) => vm))];
  const vms = [...own, ...(await onPorts(files, system.uid))];
  const force = `qrun net down ${name} --force (unplugs them)`;
  if (vms.length === 0) {
    const pids = findHolders(files.users).join(', ');
    return new QrunError(
      'in-use',
      `network ${name}: ${files.users} is held by ${pids === '' ? 'somebody' : `pid ${pids}`}`,
      {
        hint: force,
      },
    );
  }
  return new QrunError('in-use', `network ${name}: ${vms.join(', ')} ${vms.length === 1 ? 'is' : 'are'} on it`, {
    hint: vms.length > own.length ? `stop them, or: ${force}` : `qrun stop ${vms.join(' ')}, or: ${force}`,
  });
}

/** Other users' VMs, `alice/web1`. */
async function onPorts(files: NetworkFiles, uid: number): Promise<string[]> {
  const record = readNetworkRecord(files);
  const host = record === undefined ? undefined : hostNetworkOf(record.plan);
  if (host === undefined || host.ports.length === 0) return [];
  const { readPortMembers } = await import('./port-users.ts');
  return [...new Set(readPortMembers(host, uid).map(({ vm }) => vm))];
}

/** @throws QrunError `left-behind` */
export function throwIfLeft(name: NetworkName, left: readonly Leftover[]): void {
  if (left.length === 0) return;
  throw new QrunError(
    'left-behind',
    `network ${name}: ${left.length === 1 ? 'one thing' : `${left.length} things`} could not be given back`,
    { causes: left.map((one) => `${one.step.id}: ${whyLeft(one)}`), hint: 'mend that, then: qrun gc' },
  );
}
