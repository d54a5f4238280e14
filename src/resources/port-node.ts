/** The device of a macvtap that root made for others. What is given away is the very device that was looked at, and never what only lies at its path. */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync } from 'node:fs';
import { errnoOf, QrunError } from '../errors.ts';
import { numbersOf, readTapNode } from '../host/host-link.ts';
import type { PortNodeStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';
import { delay } from '../system/delay.ts';
import { failureOf } from '../system/failure.ts';
import { settleArgv, settleUdev } from './udev.ts';
import type { Resource } from './resource.ts';

const awaitMs = 2000;

export const portNode: Resource<PortNodeStep> = {
  describe: (step) => ({
    acquire: [
      ...(step.settle === true ? [{ argv: settleArgv }] : []),
      { op: 'check-node', path: step.path, link: step.link, index: step.index },
      { argv: ['chown', `${step.user ?? 0}:${step.group ?? 0}`, step.path] },
      { argv: ['chmod', modeOf(step).toString(8).padStart(4, '0'), step.path] },
    ],
    release: [],
  }),

  acquire: async (step, { system }) => {
    if (step.settle === true) await settleUdev(system);
    const end = performance.now() + awaitMs;
    for (;;) {
      const device = readTapNode(step.link, step.index);
      if (device !== undefined && give(step, device)) return {};
      if (performance.now() > end) throw notThere(step);
      await delay(5);
    }
  },

  // it is gone with its interface
  release: async () => {},
};

const modeOf = ({ group }: PortNodeStep): number => (group === undefined ? 0o600 : 0o660);

/** False: there is no node, or it is that of another network's. */
function give(step: PortNodeStep, device: string): boolean {
  const fd = open(step.path);
  if (fd === undefined) return false;
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || numbersOf(stat.rdev) !== device) return false;
    fchownSync(fd, step.user ?? 0, step.group ?? 0);
    fchmodSync(fd, modeOf(step));
    return true;
  } finally {
    closeSync(fd);
  }
}

function open(node: string): number | undefined {
  try {
    return openSync(node, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENXIO', 'ENODEV'].includes(errnoOf(error) ?? '')) return undefined;
    throw failureOf(node, error, 'cannot open it');
  }
}

const notThere = ({ path, link }: PortNodeStep): QrunError =>
  new QrunError('host-failed', `${path} is not the device of ${link}`, {
    hint: `ls -l ${shellWord(path)}   # without devtmpfs on /dev no port of a macvtap can be given to others`,
  });
