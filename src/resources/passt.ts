/**
 * passt: user networking in a process of its own, started before QEMU and ended after it. It binds its ports, makes its socket and then goes into the
 * background, so whatever is wrong is known before QEMU starts. It serves one QEMU and ends by itself when that has gone, killed or not; what is to
 * be ended here is one that no QEMU has ever joined.
 */
import { closeSync, constants, fchownSync, ftruncateSync, rmSync } from 'node:fs';
import path from 'node:path';
import { QrunError } from '../errors.ts';
import type { StepRecord } from '../journal/journal.ts';
import { passtCommand } from '../plan/passt-command.ts';
import type { PasstForward, PasstStep } from '../plan/step.ts';
import { parsePasstFailure, wordsOfPasst } from '../qemu/passt-failure.ts';
import { delay } from '../system/delay.ts';
import { openRegular } from '../system/files.ts';
import { textOf } from '../system/glance.ts';
import { holderOfPort } from '../system/ports.ts';
import { isAlive, killProcess, listPids, readArguments, readIdentity, readRealUser } from '../system/processes.ts';
import type { ProcessIdentity } from '../system/processes.ts';
import type { System } from '../system/system.ts';
import { AutoPortTaken, portInUse } from './port.ts';
import type { AcquireContext, Resource } from './resource.ts';

const startTimeoutMs = 30_000;
/** Between asking it to end and ending it. */
const graceMs = 1000;
/** After SIGKILL: it ends as soon as a busy machine lets it. */
const lastMs = 15_000;

export const passt: Resource<PasstStep> = {
  describe: (step) => ({
    acquire: [{ argv: passtCommand(step) }],
    release: [
      { op: 'kill', what: `passt --socket ${step.socket}` },
      { op: 'remove', path: step.socket },
      { op: 'remove', path: step.pidFile },
    ],
  }),

  acquire: async (step, context) => {
    removeFiles(step); // under the VM lock: what lies there is a dead run's
    makeLog(step);
    const [program = '', ...words] = passtCommand(step, (forward) => portOf(forward, context));
    const { status, stderr } = context.system.runNow(program, words, { timeoutMs: startTimeoutMs });
    if (status !== 0) throw faultOf(step, stderr, context);
    const identity = readIdentity(Number(textOf(step.pidFile).trim()));
    return identity === undefined ? {} : { pid: identity.pid, startTime: identity.startTime, bootId: identity.bootId };
  },

  release: async (step, record, { system, sameBoot }) => {
    if (sameBoot) for (const identity of findOwn(step, record, system)) await end(identity);
    removeFiles(step);
  },
};

function removeFiles({ socket, pidFile }: PasstStep): void {
  for (const file of [socket, pidFile]) rmSync(file, { force: true });
}

/** Made here, because passt may run as somebody who can make none in a directory of root's. Kept after the end. */
function makeLog({ log, owner }: PasstStep): void {
  const { O_CREAT, O_WRONLY } = constants;
  const opened = openRegular(log, { code: 'unsafe-state', flags: O_WRONLY | O_CREAT, mode: 0o600 });
  if (opened === undefined) return;
  try {
    ftruncateSync(opened.fd, 0);
    if (owner !== undefined) fchownSync(opened.fd, owner.uid, owner.gid);
  } finally {
    closeSync(opened.fd);
  }
}

function portOf({ step, port }: PasstForward, { taken }: Pick<AcquireContext, 'taken'>): number {
  const known = taken?.get(step)?.['port'];
  if (typeof known === 'number') return known;
  if (port !== 'auto') return port;
  throw new QrunError('bug', `passt was to be started before the port of ${step} was known`);
}

/** A port is looked up: passt does not say who has it, and an old one not even why. */
function faultOf(step: PasstStep, stderr: string, context: AcquireContext): QrunError {
  const failure = parsePasstFailure(stderr);
  if (failure?.forward !== undefined) {
    const taken = step.forwards.map((forward) => takenFault(forward, context)).find((error) => error !== undefined);
    if (taken !== undefined) return taken;
  }
  const words = wordsOfPasst(stderr);
  const last = words.at(-1) ?? 'nothing';
  if (failure !== undefined) {
    return new QrunError(failure.code, failure.message, {
      causes: words.slice(-4),
      ...(failure.hint !== undefined && { hint: failure.hint }),
    });
  }
  const denied = /denied|not permitted/i.test(last);
  return new QrunError(denied ? 'permission' : 'host-failed', `passt ended: ${last}`, {
    causes: words.slice(-4, -1),
    hint: denied ? 'AppArmor may keep it from its files: sudo aa-status' : passtByHand(step),
  });
}

const passtByHand = (step: PasstStep): string => `try it by hand: ${passtCommand(step).join(' ')}`;

function takenFault(forward: PasstForward, context: AcquireContext): QrunError | undefined {
  const { protocol, address } = forward;
  const port = portOf(forward, context);
  if (holderOfPort({ protocol, address, port }) === undefined) return undefined;
  const error = portInUse({ protocol, address }, port);
  if (forward.port !== 'auto') return error;
  return new AutoPortTaken(error.code, error.message, {
    ...(error.hint !== undefined && { hint: error.hint }),
    causes: [forward.step],
  });
}

/** The one of the record, else whoever has this very socket among his arguments: a start may have been killed before the record. */
function findOwn(step: PasstStep, record: StepRecord | undefined, system: System): ProcessIdentity[] {
  const { pid, startTime, bootId } = record ?? {};
  const recorded = typeof pid === 'number' ? { pid, startTime: Number(startTime), bootId: String(bootId) } : undefined;
  const pids = (recorded === undefined ? listPids() : [recorded.pid]).filter((one) => isOwn(one, step, system));
  return pids
    .map((one) => recorded ?? readIdentity(one))
    .filter((identity) => identity !== undefined)
    .filter((identity) => isAlive(identity, system.bootId()));
}

/** A process of another user's may call itself what it likes. */
function isOwn(pid: number, { socket, owner }: PasstStep, { uid }: System): boolean {
  const argv = readArguments(pid);
  const program = path.basename(argv[0] ?? '');
  if (program !== 'passt' && program !== 'passt.avx2') return false;
  if (argv[argv.indexOf('--socket') + 1] !== socket) return false;
  return readRealUser(pid) === (owner?.uid ?? uid);
}

async function end(identity: ProcessIdentity): Promise<void> {
  for (const [signal, patienceMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', lastMs],
  ] as const) {
    killProcess(identity.pid, signal);
    for (const until = performance.now() + patienceMs; performance.now() < until; await delay(5))
      if (!isAlive(identity)) return;
  }
  throw new QrunError('left-behind', `passt (pid ${identity.pid}) does not end`, { hint: `ps -fp ${identity.pid}` });
}
