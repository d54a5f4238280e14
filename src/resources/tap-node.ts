/**
 * The character device of a macvtap. Its node in /dev is called by the interface's index, and all network namespaces share /dev: the name alone may
 * lead into the network of somebody else. So what is opened is compared with what the interface itself says, and where they differ a node of our own
 * is made for the moment of opening. A second opener would get some of the guest's frames without anybody's noticing: the device is locked.
 */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, lstatSync, openSync } from 'node:fs';
import { errnoOf, QrunError } from '../errors.ts';
import { numbersOf, readTapNode } from '../host/host-link.ts';
import type { Action, TapNodeStep } from '../plan/step.ts';
import { privilegedArgv } from '../privileged.ts';
import { shellWord } from '../shell-word.ts';
import { delay } from '../system/delay.ts';
import { failureOf } from '../system/failure.ts';
import { tryLock } from '../system/flock.ts';
import type { System } from '../system/system.ts';
import { runPrivileged } from './privilege.ts';
import type { Resource } from './resource.ts';
import { settleArgv, settleUdev } from './udev.ts';

const awaitMs = 2000;
/** devtmpfs makes it together with the interface; only another one would take a moment. */
const nodeMs = 200;

export const tapNode: Resource<TapNodeStep> = {
  describe: (step) => ({
    acquire: [
      ...(step.settle === true ? [{ argv: settleArgv }] : []),
      { op: 'check-node', path: step.path, link: step.link, index: step.index },
      ...(step.given === true
        ? []
        : [
            { argv: privilegedArgv(['chown', ownerOf(step), step.path], step.sudo) },
            { argv: privilegedArgv(['chmod', '0600', step.path], step.sudo) },
          ]),
      ...step.fds.map((fd): Action => ({ op: 'open', path: step.path, fd, mode: 'read-write' })),
      ...step.fds.slice(0, 1).map((fd): Action => ({ op: 'lock', path: step.path, fd })),
    ],
    release: [],
  }),

  acquire: async (step, { system, descriptors }) => {
    if (step.settle === true) await settleUdev(system);
    const device = await awaitDevice(step);
    const node = (await isThere(step.path, device)) ? step.path : makeNode(step, device, system);
    try {
      // root gives away what he opened and looked at; anybody else must be given it before he can open it
      if (system.uid !== 0 && step.given !== true) giveTo(step, node, system);
      openAll(step, { node, device, descriptors });
      const [first] = step.fds;
      if (system.uid === 0 && step.given !== true) giveOpened(step, descriptors.get(first ?? -1));
    } finally {
      if (node === step.own) removeNode(step, system);
    }
    return {};
  },

  release: async (step, _record, { system, sameBoot }) => {
    // the kernel removes its own node with the interface; of ours something is left only if qrun was killed in between
    if (sameBoot && nodeAt(step.own) !== undefined) removeNode(step, system);
  },
};

const ownerOf = ({ owner: { uid, gid } }: TapNodeStep): string => `${uid}:${gid}`;

/** `246:1` */
async function awaitDevice({ link, index }: TapNodeStep): Promise<string> {
  const end = performance.now() + awaitMs;
  for (;;) {
    const device = readTapNode(link, index);
    if (device !== undefined) return device;
    if (performance.now() > end)
      throw new QrunError('host-failed', `the kernel tells no device of ${link}`, {
        hint: `ip -details link show dev ${link}`,
      });
    await delay(2);
  }
}

async function isThere(node: string, device: string): Promise<boolean> {
  const end = performance.now() + nodeMs;
  for (;;) {
    const found = nodeAt(node);
    if (found !== undefined) return found === device;
    // without devtmpfs nobody makes it
    if (performance.now() > end) return false;
    await delay(2);
  }
}

/** Of a character device; other things that lie there are none of ours. */
function nodeAt(file: string): string | undefined {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  return found.isCharacterDevice() ? numbersOf(found.rdev) : 'none';
}

function makeNode(step: TapNodeStep, device: string, system: System): string {
  removeNode(step, system);
  const [major = '', minor = ''] = device.split(':');
  must(['mknod', '-m', '0600', step.own, 'c', major, minor], step, system);
  return step.own;
}

function removeNode(step: TapNodeStep, system: System): void {
  if (nodeAt(step.own) !== undefined) must(['rm', '-f', '--', step.own], step, system);
}

function giveTo(step: TapNodeStep, node: string, system: System): void {
  must(['chown', ownerOf(step), node], step, system);
  must(['chmod', '0600', node], step, system);
}

function giveOpened({ owner }: TapNodeStep, fd: number | undefined): void {
  if (fd === undefined) return;
  fchownSync(fd, owner.uid, owner.gid);
  fchmodSync(fd, 0o600);
}

function must(argv: readonly string[], step: TapNodeStep, system: System): void {
  const { status, stderr } = runPrivileged(system, argv, { sudo: step.sudo });
  if (status === 0) return;
  throw new QrunError('host-failed', `${step.link}: ${argv.join(' ')} failed`, { causes: [stderr.trim()] });
}

interface Opening {
  readonly node: string;
  readonly device: string;
  readonly descriptors: Map<number, number>;
}

function openAll(step: TapNodeStep, { node, device, descriptors }: Opening): void {
  for (const fd of step.fds) {
    const own = openNode(node, device, step);
    descriptors.set(fd, own);
    if (fd === step.fds[0] && !tryLock(own)) {
      throw new QrunError('in-use', `the device of ${step.link} is in use`, {
        hint: `sudo fuser -v ${shellWord(node)}`,
      });
    }
  }
}

/** What was opened is looked at, and not what lay there a moment before. */
function openNode(node: string, device: string, { link }: TapNodeStep): number {
  const fd = open(node);
  const stat = fstatSync(fd);
  if (stat.isCharacterDevice() && numbersOf(stat.rdev) === device) return fd;
  closeSync(fd);
  throw new QrunError('host-failed', `${node} is not the device of ${link}, but another's`, {
    hint: `ls -l ${shellWord(node)}`,
  });
}

function open(node: string): number {
  try {
    return openSync(node, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'EPERM') {
      throw new QrunError('permission', `${node}: the kernel does not let it be opened here`, {
        hint: 'a container needs a rule for the device: docker run --device-cgroup-rule "c 246:* rwm" …',
      });
    }
    throw failureOf(node, error, 'cannot open it');
  }
}
