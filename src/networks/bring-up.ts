/**
 * Theory of operation
 *
 * A network is up from the first VM to the last, or, pinned, from `net up` to `net down`. Nobody keeps a count: each VM's QEMU holds a shared flock on
 * the network's `users` file, through a descriptor that it inherited, and when nobody holds one any more, nobody is on it. A VM takes its share first
 * and starts the network then, so that what waits for the last share to go does not find none at the very beginning. Everything here happens
 * under the network's lock. The network's own steps stand in a journal of its own, and are given back from there whoever ends it.
 */
import { closeSync, existsSync, lstatSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { failpoint } from '../journal/failpoint.ts';
import { Journal, type StepRecord } from '../journal/journal.ts';
import { portHoldersOf } from '../network/bridged/fixed-hosts.ts';
import { hostNetworkOf, type NetworkPlan } from '../network/network-plan.ts';
import type { NetworkName } from '../network/network.ts';
import { networkFiles, type NetworkFiles } from '../plan/network-files.ts';
import type { LinkStep, MemberStep, Step } from '../plan/step.ts';
import { memberOf } from '../resources/member.ts';
import { mendService, type Mended } from '../resources/service.ts';
import { shellWord } from '../shell-word.ts';
import { ensurePrivateDirectory } from '../system/directories.ts';
import { removeSocket } from '../system/files.ts';
import { waitSharedLockFile } from '../system/flock.ts';
import { openAddressBook } from './address-book.ts';
import type { NetworkContext } from './context.ts';
import { endLocked, endUnusedLocked, isHalfGone, isHeld, throwIfLeft } from './take-down.ts';
import { missingLinks, servicesOf } from './health.ts';
import { brokenLinks, requireCard } from './join-health.ts';
import { withNetworkLock } from './lock.ts';
import { readLostState } from './lost-state.ts';
import { listMembers, removeMember, writeMember, type Member } from './members.ts';
import { readLeases } from './lease-files.ts';
import { requireKnownState } from './newer-state.ts';
import { poolOf, type PreparedNetwork } from './prepare-network.ts';
import type { BrokenPorts } from './port-health.ts';
import { readNetworkRecord, writeNetworkRecord, type NetworkRecord } from './record.ts';
import { startNetwork } from './start.ts';
import { takeSteps } from './take-steps.ts';

const shareMs = 5000;

/** `net up`: starts it or mends it, and pins it. @returns what runs then */
export async function bringUp(network: PreparedNetwork, context: NetworkContext): Promise<NetworkRecord> {
  const { name, files } = network;
  return await withNetworkLock({ name, files }, context, async () => {
    const record = await startOrMend(network, context, { pinned: true });
    return record.pinned ? record : await (await import('./pin.ts')).setPinned(record, true, context);
  });
}

/**
 * A VM's NIC comes onto the network.
 * @returns the descriptor that holds the network up, for QEMU to inherit
 */
export async function joinNetwork(
  step: MemberStep,
  network: PreparedNetwork,
  context: NetworkContext,
): Promise<number> {
  const { name, files } = network;
  return await withNetworkLock({ name, files }, context, async () => {
    const share = await takeShare(files, name);
    try {
      const record = await startOrMend(network, context, { pinned: false });
      failpoint(`joining:${name}`);
      if (step.socket !== undefined) removeSocket(step.socket);
      writeMember(files, joining(step, { network, record, context }), context.system.uid);
      if (record.plan.attach.by === 'bridge') await (await import('./tell-members.ts')).tellMembers(record, context);
      return share;
    } catch (error) {
      closeSync(share);
      await endUnusedLocked(name, context);
      throw error;
    }
  });
}

/** It leaves; whoever is last ends the network. May be repeated. */
export async function leaveNetwork(step: MemberStep, context: NetworkContext): Promise<void> {
  const name = step.network as NetworkName;
  const files = networkFiles(context.places, name);
  if (!isHeld(files)) return;
  await withNetworkLock({ name, files }, context, async () => {
    removeMember(files, step);
    if (step.socket !== undefined) removeSocket(step.socket);
    await endUnusedLocked(name, context);
  });
}

async function takeShare(files: NetworkFiles, name: NetworkName): Promise<number> {
  const share = await waitSharedLockFile(files.users, shareMs);
  if (share !== undefined) return share;
  throw new QrunError('in-use', `network ${name}: ${files.users} is held by somebody who keeps all others out`, {
    hint: `fuser -v ${shellWord(files.users)}`,
  });
}

async function startOrMend(
  network: PreparedNetwork,
  context: NetworkContext,
  { pinned }: { readonly pinned: boolean },
): Promise<NetworkRecord> {
  const { files } = network;
  requireKnownState(network.name, context);
  const record = readNetworkRecord(files);
  // an end that was begun is brought to its end
  if (record?.bootId === context.system.bootId() && !isHalfGone(files)) return await mend(files, record, context);
  if (record === undefined && existsSync(files.record))
    context.warn(
      `network ${network.name}: its record cannot be read: it is taken down and up again; VMs that were on it must be started anew`,
    );
  if (!isHeld(files)) await endLostState(network, context, { pinned });
  for (const { step, error } of await endLocked(files, context))
    context.warn(`network ${network.name}: an earlier run left ${step.id} behind: ${error.message}`);
  return await startNetwork(network, context, { pinned });
}

/** Somebody removed its state while it was up. A VM that joins holds it up itself: nobody can tell then whether others are on it. */
async function endLostState(
  { name }: PreparedNetwork,
  context: NetworkContext,
  { pinned }: { readonly pinned: boolean },
): Promise<void> {
  if (readLostState(name, context) === undefined) return;
  const what = `network ${name}: its state was removed while it was up`;
  if (!pinned) throw new QrunError('unsafe-state', what, { hint: `sudo qrun net up ${name}` });
  const lost = await (await import('./end-lost.ts')).endLost(name, { force: false }, context);
  throwIfLeft(name, lost?.left ?? []);
  context.warn(`${what}: what was left of it was given back, and it comes up anew`);
}

/** Starts what of it does not run any more; the guests find it again by themselves. */
async function mend(files: NetworkFiles, record: NetworkRecord, context: NetworkContext): Promise<NetworkRecord> {
  const { system, warn } = context;
  let renewed = false;
  requireCard(record.network, record.plan);
  await (await import('./mend-bridge.ts')).mendBridge(files, record, context);
  await remakeLinks(files, record, { system, warn });
  remakeDirectories(files, record, system.uid);
  await (await import('./mend-switch.ts')).mendSwitch(files, record, { system, warn });
  await (await import('./mend-files.ts')).mendFiles(files, record, context);
  for (const step of servicesOf(record.plan)) {
    const mended = await mendService(step, { env: system.env, record: (value) => noteRecord(files, step, value) });
    for (const words of mendedInWords(mended)) warn(`network ${record.network}: ${words}`);
    const names = [...mended.started, ...mended.anew];
    renewed ||= step.programs.some(({ name, restart }) => !restart && names.includes(name));
  }
  if (!renewed) return record;
  const mended = { ...record, renewedAt: new Date().toISOString() };
  writeNetworkRecord(files, mended);
  return mended;
}

function mendedInWords({ started, anew }: Mended): string[] {
  const told = (names: readonly string[], one: string, several: string): string[] =>
    names.length === 0 ? [] : [`${names.join(' and ')} ${names.length === 1 ? one : several}`];
  return [
    ...told(started, 'did not run, and was started again', 'did not run, and were started again'),
    ...told(
      anew,
      'had lost its keeper or its socket, and was started anew',
      'had lost their keepers or their sockets, and were started anew',
    ),
  ];
}

function noteRecord(files: NetworkFiles, step: Step, value: StepRecord): void {
  const journal = Journal.resume(files.journal);
  try {
    journal.record(step, value);
  } finally {
    journal.close();
  }
}

/** Interfaces that somebody removed, or whose card went and came again; with their devices and their entry in the registry. */
async function remakeLinks(
  files: NetworkFiles,
  { plan, network, runId }: NetworkRecord,
  { system, warn }: Pick<NetworkContext, 'system' | 'warn'>,
): Promise<void> {
  const host = hostNetworkOf(plan);
  const broken = host === undefined ? noPorts : (await import('./port-health.ts')).brokenPorts(host);
  const gone = [...missingLinks(plan), ...linksNamed(plan, broken.links), ...brokenLinks(plan)];
  const registry = plan.steps.filter(
    (step) => step.kind === 'host-network' && (broken.rights.length > 0 || !existsSync(step.path)),
  );
  const names = new Set(gone.map(({ name }) => name));
  const nodes = plan.steps.filter(
    (step) => step.kind === 'port-node' && (names.has(step.link) || broken.rights.includes(step.link)),
  );
  if (gone.length + registry.length + nodes.length === 0) return;
  await takeSteps([...gone, ...nodes, ...registry], { files, runId, system, warn });
  if (gone.length > 0) warn(`network ${network}: ${[...names].join(' and ')} had gone, and was made again`);
  if (broken.rights.length > 0) warn(`network ${network}: who may take ${broken.rights.join(' and ')} was set again`);
}

const noPorts: BrokenPorts = { links: [], rights: [] };

const linksNamed = ({ steps }: NetworkPlan, names: readonly string[]): LinkStep[] =>
  steps.filter((step) => step.kind === 'link').filter(({ name }) => names.includes(name));

/** A runtime directory goes away when its user logs out, and what runs goes on. The journal learns of the new ones: they are to be given back. */
function remakeDirectories(files: NetworkFiles, { plan }: NetworkRecord, uid: number): void {
  const gone = plan.steps.filter((step) => step.kind === 'directory' && !existsSync(step.path));
  if (gone.length === 0) return;
  const journal = Journal.resume(files.journal);
  try {
    for (const step of gone) {
      if (step.kind !== 'directory') continue;
      ensurePrivateDirectory(step.path, { uid });
      journal.record(step, { inode: lstatSync(step.path).ino });
    }
  } finally {
    journal.close();
  }
}

interface MemberFrom {
  readonly network: PreparedNetwork;
  readonly record: NetworkRecord;
  readonly context: NetworkContext;
}

function joining(step: MemberStep, { network, record, context }: MemberFrom): Member {
  const { files } = network;
  const members = listMembers(files);
  // a VM that a forward leads to keeps its address while it does not run
  const inUse = [
    ...members.map(({ holder }) => holder ?? ''),
    ...record.forwards.map(({ guest }) => guest),
    ...portHoldersOf(record.plan),
  ];
  const leased = readLeases(files.leases)
    .filter(({ mac, expires }) => mac !== step.mac && expires > Date.now() / 1000)
    .map(({ ip }) => ip);
  const book = openAddressBook({ files, pool: poolOf(record.definition), uid: context.system.uid, inUse, leased });
  const ip = network.fixedByMac(step.mac) ?? book.reserve(step.holder);
  book.save();
  return { ...memberOf({ ...step, ...(ip !== undefined && { ip }) }), since: new Date().toISOString() };
}
