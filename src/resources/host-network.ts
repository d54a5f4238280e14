/**
 * A network of root's in the host-wide registry. The lock files of its ports are root's own directory's: those who may take a port may open and lock
 * them, and nobody but root can put another in their place. They are never removed: whoever holds a file that is gone locks nothing.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lstatSync,
  mkdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import type { HostNetworkStep } from '../plan/step.ts';
import { faultOfDirectory } from '../system/directories.ts';
import { failureOf } from '../system/failure.ts';
import { writeDurable, writeQuick } from '../system/files.ts';
import { openRegular } from '../system/regular-file.ts';
import type { System } from '../system/system.ts';
import type { Resource } from './resource.ts';

export const hostNetwork: Resource<HostNetworkStep> = {
  describe: (step) => ({
    acquire: [
      ...step.network.ports.flatMap(({ lock }) => [
        { op: 'write', path: lock, content: '' } as const,
        { argv: ['chown', `${step.network.user ?? 0}:${step.network.group ?? 0}`, lock] },
        { argv: ['chmod', step.network.group === undefined ? '0600' : '0660', lock] },
      ]),
      { op: 'write', path: step.path, content: JSON.stringify(step.network) },
    ],
    release: [{ op: 'remove', path: step.path }],
  }),

  acquire: async (step, { system }) => {
    for (const directory of [path.dirname(step.path), step.directory]) openDirectory(directory);
    for (const port of step.network.ports) makeLock(port.lock, step);
    const macs = step.network.ports.map(({ mac }) => mac);
    writeDurable(step.macs, JSON.stringify({ v: 1, macs }), { mode: 0o644 });
    writeQuick(step.path, entryOf(step, system), { mode: 0o644 });
    return {};
  },

  release: async (step) => rmSync(step.path, { force: true }),
};

const entryOf = ({ network }: HostNetworkStep, system: System): string =>
  JSON.stringify({
    v: 1,
    bootId: system.bootId(),
    space: networkSpace(),
    startedAt: new Date().toISOString(),
    ...network,
  });

/** Interfaces are of one network namespace, and their names say nothing in another. */
export const networkSpace = (): string => String(statSync('/proc/self/ns/net').ino);

/** Root's, and open to all: users must get through to the locks. */
function openDirectory(directory: string): void {
  const missing: string[] = [];
  for (let at = directory; lstatSync(at, { throwIfNoEntry: false }) === undefined; at = path.dirname(at))
    missing.unshift(at);
  for (const one of missing) {
    try {
      mkdirSync(one, { mode: 0o755 });
      chmodSync(one, 0o755);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw failureOf(one, error, 'cannot make the directory');
    }
  }
  const fault = faultOfDirectory(directory, { uid: 0 });
  if (fault !== undefined)
    throw new QrunError('unsafe-state', `unsafe directory: ${fault}`, { hint: `ls -ld ${directory}` });
}

function makeLock(file: string, { network: { user, group } }: HostNetworkStep): void {
  const opened = openRegular(file, { code: 'unsafe-state', flags: constants.O_RDWR | constants.O_CREAT });
  if (opened === undefined) throw new QrunError('host-failed', `${file}: the lock file vanished while it was opened`);
  try {
    fchownSync(opened.fd, user ?? 0, group ?? 0);
    fchmodSync(opened.fd, group === undefined ? 0o600 : 0o660);
  } finally {
    closeSync(opened.fd);
  }
}
