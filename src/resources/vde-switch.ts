/**
 * A VDE switch that QEMU will join. It is looked at first, because QEMU says `No such file or directory` for a switch that is not there, for a port
 * that it has not got and for a group that is not the user's alike. Nothing is taken: there is nothing to give back.
 */
import { lstatSync, type Stats } from 'node:fs';
import path from 'node:path';
import { errnoOf, QrunError } from '../errors.ts';
import { accessOf } from '../host/file-access.ts';
import type { VdeSwitchStep } from '../plan/step.ts';
import { shellWord } from '../shell-word.ts';
import { delay } from '../system/delay.ts';
import { failureOf } from '../system/failure.ts';
import type { System } from '../system/system.ts';
import { probeUnixSocket, readUnixSockets } from '../system/unix-sockets.ts';
import type { Resource } from './resource.ts';

export const vdeSwitch: Resource<VdeSwitchStep> = {
  describe: ({ directory }) => ({ acquire: [{ op: 'check-switch', path: directory }], release: [] }),

  acquire: async (step, { system }) => {
    const { directory } = step;
    const control = path.join(directory, 'ctl');
    const found = lookAt(directory, step);
    if (found === undefined) throw noSwitch(step, `there is no directory ${directory}`, system);
    if (!found.isDirectory()) throw notA('directory', directory, found);
    const socket = lookAt(control, step);
    if (socket === undefined) throw noSwitch(step, `no VDE switch listens in ${directory}`, system);
    if (!socket.isSocket()) throw notA('socket', control, socket);
    if (step.owner !== undefined && socket.uid !== step.owner) throw notTheirs(control, socket, step);
    if (!accessOf(step.runAs).mayWrite(control)) throw forbidden(step, socket);
    const state = await probeUnixSocket(control);
    if (state === 'unknown') throw forbidden(step, socket);
    if (state === 'dead') throw noSwitch(step, `the VDE switch of ${directory} has ended`, system);
    if (step.port !== undefined) await requireFree(directory, step.port);
    return {};
  },

  release: async () => {},
};

function lookAt(file: string, step: VdeSwitchStep): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    // a directory on the way, or the switch's own, lets this user not in
    if (errnoOf(error) === 'EACCES') throw forbidden(step, undefined);
    throw failureOf(file, error, 'cannot look at it');
  }
}

const partingMs = 5000;

/**
 * To somebody who asks for a port that another user is at, the switch says nothing, and QEMU would wait for ever. The switch lets go of a port a moment
 * after its last guest has ended.
 */
async function requireFree(directory: string, port: number): Promise<void> {
  const begin = `${directory}/${String(port).padStart(3, '0')}.`;
  const isTaken = (): boolean => readUnixSockets().some(({ path: name }) => name.startsWith(begin));
  for (const end = performance.now() + partingMs; isTaken(); await delay(20)) {
    if (performance.now() < end) continue;
    throw new QrunError(
      'in-use',
      `port ${port} of the VDE switch of ${directory} is taken by somebody who is no VM of qrun's`,
      {
        hint: `sudo unixcmd -f /etc/vde2/vdecmd -s ${shellWord(`${directory}/mgmt`)} port/allprint   # names who is on it`,
      },
    );
  }
}

function noSwitch({ directory, mend }: VdeSwitchStep, message: string, { which }: Pick<System, 'which'>): QrunError {
  if (mend !== undefined) return new QrunError('host-failed', message, { hint: mend });
  if (which('vde_switch') === undefined)
    return new QrunError('missing-tool', `${message}, and vde_switch is not installed`, {
      hint: 'sudo apt-get install vde2',
    });
  return new QrunError('host-failed', message, { hint: `vde_switch -s ${shellWord(directory)} -m 0600 -d` });
}

function notA(what: 'directory' | 'socket', file: string, found: Stats): QrunError {
  const is = found.isSymbolicLink() ? 'a symbolic link, and is not followed' : `no ${what}`;
  return new QrunError('unsafe-file', `${file} is ${is}`, {
    hint: `ls -ld ${shellWord(file)}   # socket: names the directory of a VDE switch`,
  });
}

/** It would get all that the guest sends. */
const notTheirs = (control: string, { uid }: Stats, { owner, mend }: VdeSwitchStep): QrunError =>
  new QrunError('unsafe-file', `${control} is of uid ${uid}, and not of the switch's account (uid ${owner})`, {
    hint: `sudo rm -rf ${control}${mend === undefined ? '' : `; ${mend}`}`,
  });

function forbidden({ directory, runAs, mend }: VdeSwitchStep, socket: Stats | undefined): QrunError {
  const who = runAs === undefined ? 'this user' : `the user ${runAs.name}, whom QEMU runs as,`;
  const owner = socket === undefined ? '' : ` (it is that of uid ${socket.uid})`;
  return new QrunError('permission', `${who} may not join the VDE switch of ${directory}${owner}`, {
    hint:
      mend ??
      `whoever runs it gives its group leave: vde_switch -s ${shellWord(directory)} -g GROUP -m 0660; ls -la ${shellWord(directory)}`,
  });
}
