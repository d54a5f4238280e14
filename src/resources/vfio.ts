/**
 * A network card that goes from its driver to vfio-pci and back. While QEMU lives it holds a lock on a file of the device's: to unbind vfio-pci from a
 * card that a guest has would block in the kernel. https://docs.kernel.org/driver-api/vfio.html
 */
import { closeSync, constants, openSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { readPciDevice, readPciNet, type PciDevice } from '../host/pci.ts';
import { readVfioNode } from '../host/pci-door.ts';
import {
  pciDirectory,
  pciDriverDirectory,
  pciLockFile,
  pciProbeFile,
  vfioDriver,
  vfioNodePath,
} from '../pci-address.ts';
import { vfCommand, vfUndoCommand } from '../plan/vf-command.ts';
import type { VfioStep } from '../plan/step.ts';
import { privilegedArgv } from '../privileged.ts';
import { shellWord } from '../shell-word.ts';
import { delay } from '../system/delay.ts';
import { failureOf } from '../system/failure.ts';
import { tryLock } from '../system/flock.ts';
import type { System } from '../system/system.ts';
import { runPrivileged } from './privilege.ts';
import type { Resource } from './resource.ts';

/** Between the plan and the run somebody else was given it: another one is chosen. */
export class CardTaken extends QrunError {}

interface Command {
  readonly argv: readonly string[];
  readonly stdin?: string;
}

export interface VfioPlaces {
  readonly sysfs: string;
  readonly dev: string;
}

const nodeMs = 2000;

/** @param places for tests */
export function createVfio(places: VfioPlaces): Resource<VfioStep> {
  const { sysfs, dev } = places;
  return {
    describe: (step) => {
      const file = pciLockFile(step.address, sysfs);
      const shown = ({ argv, stdin }: Command) => ({
        argv: privilegedArgv(argv, step.sudo),
        ...(stdin !== undefined && { stdin }),
      });
      return {
        acquire: [
          { op: 'lock', path: file, fd: step.fd },
          ...[...takeCommands(step, places), ...nodeCommands(step, places, 'owner')].map(shown),
        ],
        release: [...nodeCommands(step, places, 'before'), ...giveCommands(step, places)].map(shown),
      };
    },

    acquire: async (step, { system, descriptors, record }) => {
      await lock(step, places, descriptors);
      requireAsPlanned(step, places);
      record({});
      for (const command of takeCommands(step, places)) run(command, step, system);
      if (step.bind !== undefined && driverOf(step, sysfs) !== vfioDriver) throw notBound(step, places);
      await awaitNode(step, dev);
      for (const command of nodeCommands(step, places, 'owner')) run(command, step, system);
      return {};
    },

    release: async (step, record, { system, sameBoot }) => {
      // without a record nothing was changed: it is written before; and no binding outlives the boot
      if (record === undefined || !sameBoot) return;
      const device = readPciDevice(step.address, sysfs);
      if (device === undefined) return;
      // whoever is given it meanwhile must not have it taken away
      const own = openDevice(step.address, sysfs);
      try {
        if (!(await lockPatiently(own))) throw stillUsed(step, dev);
        giveBack(step, { places, device, system });
      } finally {
        closeSync(own);
      }
    },
  };
}

interface Back {
  readonly places: VfioPlaces;
  readonly device: PciDevice;
  readonly system: System;
}

function giveBack(step: VfioStep, { places, device, system }: Back): void {
  const node = readVfioNode(step.group, places.dev);
  if (step.bind !== undefined && device.driver === vfioDriver && node?.state === 'busy')
    throw stillUsed(step, places.dev);
  if (node !== undefined) for (const command of nodeCommands(step, places, 'before')) give(command, step, system);
  for (const command of giveCommands(step, places, device)) give(command, step, system);
  requireGivenBack(step, places);
}

export const vfio: Resource<VfioStep> = createVfio({ sysfs: '/sys', dev: '/dev' });

const write = (file: string, text: string): Command => ({ argv: ['tee', file], stdin: `${text}\n` });
const overrideFile = (address: string, sysfs: string): string => `${pciDirectory(address, sysfs)}/driver_override`;
const unbindFrom = (driver: string, address: string, sysfs: string): Command =>
  write(`${pciDriverDirectory(driver, sysfs)}/unbind`, address);

/** The MAC is set while no driver has the function: many take it up when they begin. */
function takeCommands({ address, bind, vf }: VfioStep, { sysfs }: VfioPlaces): Command[] {
  const set = vf === undefined ? [] : [{ argv: vfCommand(vf) }];
  if (bind === undefined) return set;
  return [
    ...(bind.loads ? [{ argv: ['modprobe', vfioDriver] }] : []),
    write(overrideFile(address, sysfs), vfioDriver),
    ...(bind.driver === undefined ? [] : [unbindFrom(bind.driver, address, sysfs)]),
    ...set,
    write(pciProbeFile(sysfs), address),
  ];
}

/** An empty override lets any driver have it. @param now what is left to do of it; default: all */
function giveCommands({ address, bind, vf }: VfioStep, { sysfs }: VfioPlaces, now?: PciDevice): Command[] {
  const back = vf === undefined ? [] : [{ argv: vfUndoCommand(vf) }];
  if (bind === undefined) return back;
  const bound = now === undefined || now.driver === vfioDriver;
  const without = bound || now.driver === undefined;
  return [
    write(overrideFile(address, sysfs), ''),
    ...(bound ? [unbindFrom(vfioDriver, address, sysfs)] : []),
    ...back,
    ...(without && bind.driver !== undefined ? [write(pciProbeFile(sysfs), address)] : []),
  ];
}

function nodeCommands({ group, node }: VfioStep, { dev }: VfioPlaces, to: 'owner' | 'before'): Command[] {
  if (node === undefined) return [];
  const { uid, gid } = node[to];
  return [{ argv: ['chown', `${uid}:${gid}`, vfioNodePath(group, dev)] }];
}

const looks = 4;
const betweenMs = 25;

/** Somebody who only looks has it for a moment: that is waited out. */
async function lock(step: VfioStep, { sysfs }: VfioPlaces, descriptors: Map<number, number>): Promise<void> {
  const own = openDevice(step.address, sysfs);
  descriptors.set(step.fd, own);
  if (await lockPatiently(own)) return;
  throw taken(step, `another guest has the card ${step.address}`, 'qrun ps');
}

async function lockPatiently(fd: number): Promise<boolean> {
  for (let look = 1; ; look += 1) {
    if (tryLock(fd)) return true;
    if (look >= looks) return false;
    await delay(betweenMs);
  }
}

const taken = ({ chosen }: VfioStep, message: string, hint: string): QrunError =>
  chosen === true ? new CardTaken('in-use', message, { hint }) : new QrunError('in-use', message, { hint });

function openDevice(address: string, sysfs: string): number {
  const file = pciLockFile(address, sysfs);
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    throw failureOf(file, error, 'cannot open it');
  }
}

const driverOf = ({ address }: VfioStep, sysfs: string): string | undefined => readPciDevice(address, sysfs)?.driver;

/** What was planned on may have changed before the lock was taken. */
function requireAsPlanned(step: VfioStep, { sysfs, dev }: VfioPlaces): void {
  const { address, bind, group } = step;
  const device = readPciDevice(address, sysfs);
  if (device === undefined)
    throw new QrunError('host-failed', `the PCI device ${address} is gone`, { hint: 'lspci -D | grep -i net' });
  const expected = bind === undefined ? vfioDriver : bind.driver;
  if (device.driver !== expected || device.group !== group) {
    throw taken(step, `${address} is with ${device.driver ?? 'no driver'} now: somebody else has it`, 'try again');
  }
  if (readVfioNode(group, dev)?.state !== 'busy') return;
  const node = vfioNodePath(group, dev);
  throw taken(step, `another program has ${node}`, `sudo fuser -v ${shellWord(node)}`);
}

async function awaitNode({ group, address }: VfioStep, dev: string): Promise<void> {
  const end = performance.now() + nodeMs;
  while (readVfioNode(group, dev) === undefined) {
    if (performance.now() > end) {
      throw new QrunError('host-failed', `${address}: there is no ${vfioNodePath(group, dev)}`, {
        hint: `in a container: start it with --device /dev/vfio/vfio --device ${vfioNodePath(group, dev)}`,
      });
    }
    await delay(2);
  }
}

function run({ argv, stdin }: Command, step: VfioStep, system: System): void {
  const { status, stderr } = runPrivileged(system, argv, { sudo: step.sudo, ...(stdin !== undefined && { stdin }) });
  if (status === 0) return;
  const causes = [stderr.trim()];
  if (/Permission denied|Read-only file system|not permitted/.test(stderr)) {
    throw new QrunError('permission', `${step.address}: ${argv.join(' ')}: the kernel does not allow it here`, {
      causes,
      hint: 'in a container: start the guest outside of it; else: dmesg | tail',
    });
  }
  throw new QrunError('host-failed', `${step.address}: ${argv.join(' ')} failed`, { causes, hint: 'dmesg | tail' });
}

/** Goes on past what fails; what a virtual function is set to is not seen in the end, and told. */
function give(command: Command, step: VfioStep, system: System): void {
  try {
    run(command, step, system);
  } catch (error) {
    const isGone = step.vf !== undefined && readPciNet(step.vf.parent) === undefined;
    if (!(error instanceof QrunError) || error.code !== 'host-failed') throw error;
    if (command.argv[0] !== 'ip' || isGone) return;
    throw new QrunError('left-behind', error.message, {
      causes: error.causes,
      hint: ['sudo', ...command.argv].join(' '),
    });
  }
}

/** Another driver that somebody gave it to meanwhile may keep it. */
function requireGivenBack({ address, bind }: VfioStep, { sysfs }: VfioPlaces): void {
  if (bind === undefined) return;
  const driver = readPciDevice(address, sysfs)?.driver;
  if (driver !== vfioDriver && (driver !== undefined || bind.driver === undefined)) return;
  throw new QrunError('left-behind', `${address} is not with ${bind.driver ?? 'no driver'} again`, {
    hint: `echo ${address} | sudo tee ${pciProbeFile(sysfs)}`,
  });
}

const notBound = (step: VfioStep, { sysfs }: VfioPlaces): QrunError =>
  new QrunError(
    'host-failed',
    `${step.address} did not go to ${vfioDriver}, but to ${driverOf(step, sysfs) ?? 'no driver'}`,
    {
      hint: 'dmesg | tail',
    },
  );

const stillUsed = ({ address, group }: VfioStep, dev: string): QrunError =>
  new QrunError('left-behind', `a program has the card ${address} still`, {
    hint: `sudo fuser -v ${vfioNodePath(group, dev)}`,
  });
