/** A port of a network of root's, locked for QEMU. Who holds it is written into its lock file, under the lock. */
import { closeSync, constants, ftruncateSync, lstatSync, writeSync, type Stats } from 'node:fs';
import { QrunError } from '../errors.ts';
import type { PortHolder } from '../network/host-network.ts';
import type { PortLeaseStep } from '../plan/step.ts';
import { isVmName } from '../names.ts';
import { tryLock } from '../system/flock.ts';
import { openRegular, readOwned } from '../system/regular-file.ts';
import { readStateFile } from '../system/state-files.ts';
import type { Resource } from './resource.ts';

/** Somebody was faster than the plan: another port may be free. */
export class PortTaken extends QrunError {}

export const portLease: Resource<PortLeaseStep> = {
  describe: (step) => ({
    acquire: [{ op: 'lock', path: step.lock, fd: step.fd }],
    release: [],
  }),

  acquire: async (step, { descriptors }) => {
    const fd = tryOwn(step);
    if (fd === undefined) throw taken(step);
    descriptors.set(step.fd, fd);
    // root takes the locks before he takes the network down: what is still told now, stays
    if (!isStillUp(step)) throw taken(step);
    const text = Buffer.from(JSON.stringify({ v: 1, ...step.holder, run: step.run, at: new Date().toISOString() }));
    ftruncateSync(fd);
    writeSync(fd, text, 0, text.length, 0);
    return {};
  },

  // it is free when QEMU is gone
  release: async () => {},
};

const taken = ({ network, device }: PortLeaseStep): PortTaken =>
  new PortTaken('in-use', `network ${network}: its port ${device} was taken by somebody else just now`, {
    hint: 'try again',
  });

function isStillUp({ registry, run }: PortLeaseStep): boolean {
  const read = readStateFile(registry, { leave: true });
  return read.state === 'read' && read.value['runId'] === run;
}

/** Since the plan was made it may have become another user's. */
function tryOwn({ lock }: PortLeaseStep): number | undefined {
  try {
    return tryPort(lock);
  } catch (error) {
    if (error instanceof QrunError && error.code === 'permission') return undefined;
    throw error;
  }
}

/** The port's lock file, locked; undefined: somebody has it, or another file has taken its place. @throws QrunError `permission` */
export function tryPort(file: string): number | undefined {
  const opened = openRegular(file, { code: 'unsafe-state', flags: constants.O_RDWR });
  if (opened === undefined) return undefined;
  let locked = false;
  try {
    locked = tryLock(opened.fd) && isStill(file, opened.stat);
  } finally {
    if (!locked) closeSync(opened.fd);
  }
  return locked ? opened.fd : undefined;
}

const isStill = (file: string, { dev, ino }: Stats): boolean => {
  const now = lstatSync(file, { throwIfNoEntry: false });
  return now?.dev === dev && now.ino === ino;
};

export interface PortUse extends PortHolder {
  /** ISO 8601: since when. */
  readonly at: string;
  /** The run of the network that the port was of then. */
  readonly run?: string;
}

/** Who has the port, or had it last. Written by whoever may take it, so it is believed for choosing and for words, and for nothing else. */
export function readPortUse(file: string): PortUse | undefined {
  try {
    const text = readOwned(file, { maxBytes: 4096, code: 'unsafe-state' })?.text ?? '';
    const value = JSON.parse(text) as Partial<Record<keyof PortUse, unknown>>;
    const { uid, state, vm, nic, at, run } = value;
    if (typeof uid !== 'number' || typeof vm !== 'string' || !isVmName(vm)) return undefined;
    return { uid, vm, state: String(state), nic: String(nic), at: String(at), ...(typeof run === 'string' && { run }) };
  } catch {
    return undefined;
  }
}
