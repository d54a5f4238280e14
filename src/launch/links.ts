/**
 * QEMU starts whether or not a stream can be made, and says nothing: a guest whose cable leads nowhere runs like any other. So when QEMU runs, qrun looks:
 * whether it listens where it is to listen, and whether it reached whom it is to reach. The sockets that it made are noted, so that they can be removed.
 */
import { QrunError } from '../errors.ts';
import type { Journal, StepRecord } from '../journal/journal.ts';
import type { LaunchPlan, PlannedLink } from '../plan/launch-plan.ts';
import type { Step } from '../plan/step.ts';
import { linkStateOf, type LinkState } from '../qmp/info-network.ts';
import type { QmpClient } from '../qmp/client.ts';
import { withMadeSocket } from '../resources/socket-path.ts';
import { withMonitor } from '../supervise/monitor.ts';
import { delay } from '../system/delay.ts';
import { hasWaitingConnection, processOfSocket, readListeningPorts } from '../system/ports.ts';
import { readDescriptors, readMountNamespace } from '../system/processes.ts';
import { readUnixSockets } from '../system/unix-sockets.ts';
import { throwIfInterrupted } from './interrupt.ts';
import type { LaunchContext } from './prepare.ts';

export interface LinksInput {
  readonly plan: LaunchPlan;
  /** QEMU's. */
  readonly pid: number;
  readonly monitorLock: string;
  readonly steps: readonly Step[];
  readonly records: ReadonlyMap<string, StepRecord>;
  readonly journal: Pick<Journal, 'record'>;
}

/** How long QEMU may take to say that it listens, or that nobody is there. A host that does not answer at all takes the kernel minutes. */
const settleMs = 5000;
/** One that tries again is only told about. */
const glanceMs = 300;
/** On a busy machine QEMU connects, and lets others in, when its turn comes. */
const turnMs = 2000;

/**
 * Costs nothing where there is no stream, and a look at /proc where the streams only listen.
 * @throws QrunError `qemu-failed` when QEMU could not listen, `host-failed` when nobody listens and QEMU does not try again
 */
export async function settleLinks(
  input: LinksInput,
  context: Pick<LaunchContext, 'interrupted' | 'warn'>,
): Promise<void> {
  const { plan, pid, monitorLock } = input;
  const open = (plan.links ?? []).filter((link) => link.role === 'connects' || !isListening(link, pid));
  if (open.length > 0) {
    await withMonitor({ vm: plan.vm, qmp: plan.sockets.qmp, lock: monitorLock }, async (client) => {
      for (const link of open) await settle(link, { ...input, client, context });
    });
  }
  noteSockets(input);
}

/** @throws QrunError `in-use` when another VM was started on the same path at the same time: QEMU takes it from whoever has it */
function noteSockets({ plan, pid, steps, records, journal }: LinksInput): void {
  const bound = steps.filter((step) => step.kind === 'socket-path' && step.use === 'bind');
  if (bound.length === 0) return;
  const sockets = readUnixSockets().filter(({ listening, type }) => listening || type === 'dgram');
  const own = readDescriptors(pid);
  for (const step of bound) {
    if (step.kind !== 'socket-path') continue;
    journal.record(step, withMadeSocket(step, records.get(step.id) ?? {}));
    const others = sockets.filter(({ path, inode }) => path === step.path && !own.includes(`socket:[${inode}]`));
    const other = others.map(({ inode }) => processOfSocket(inode)).find((found) => found !== undefined);
    // in another mount namespace the same path is another socket
    if (other === undefined || readMountNamespace(other.pid) !== readMountNamespace(pid)) continue;
    throw new QrunError('in-use', `${plan.vm}: the socket ${step.path} is in use by ${other.description}`, {
      hint: 'choose another path',
    });
  }
}

interface Settling extends LinksInput {
  readonly client: QmpClient;
  readonly context: Pick<LaunchContext, 'interrupted' | 'warn'>;
}

async function settle(link: PlannedLink, { plan, pid, client, context }: Settling): Promise<void> {
  const patient = triesAgain(link);
  const began = performance.now();
  for (;;) {
    const state = linkStateOf(await client.hmp('info network'), link.netdev.id);
    if (state?.state === 'connected' && link.role === 'connects') return await waitUntilLetIn(link, { plan, context });
    if (state === undefined || state.state === 'connected') return;
    if (state.state === 'failed' && !patient) throw failed(plan, link, state.reason);
    if (link.role === 'listens' && isListening(link, pid)) return;
    if (performance.now() - began > patienceOf(state, patient)) return giveUp({ plan, link, state, context });
    throwIfInterrupted(context);
    await delay(10);
  }
}

const patienceOf = ({ state }: LinkState, patient: boolean): number => {
  if (!patient) return settleMs;
  return state === 'failed' ? glanceMs : turnMs;
};

/** One end has one other end: whoever comes third is connected as far as the kernel and QEMU can see, and waits until another leaves. */
async function waitUntilLetIn(
  link: PlannedLink,
  { plan, context }: { readonly plan: LaunchPlan; readonly context: Pick<LaunchContext, 'interrupted' | 'warn'> },
): Promise<void> {
  for (const end = performance.now() + turnMs; isWaiting(link); await delay(10)) {
    throwIfInterrupted(context);
    if (performance.now() < end) continue;
    context.warn(
      `${plan.vm}: ${link.nic}: somebody else has ${placeOf(link)}: no frames until the other end lets this one in`,
    );
    return;
  }
}

function isWaiting(link: PlannedLink): boolean {
  const { path, host = '', port = 0 } = endOf(link);
  if (path === undefined) return hasWaitingConnection(host, port);
  return readUnixSockets().some((socket) => socket.waiting && socket.path === path);
}

const triesAgain = ({ netdev }: PlannedLink): boolean =>
  netdev['reconnect-ms'] !== undefined || netdev['reconnect'] !== undefined;

function giveUp(options: {
  readonly plan: LaunchPlan;
  readonly link: PlannedLink;
  readonly state: LinkState;
  readonly context: Pick<LaunchContext, 'warn'>;
}): void {
  const { plan, link, state, context } = options;
  if (!triesAgain(link)) throw failed(plan, link, `no answer within ${settleMs / 1000} s`);
  const why = state.state === 'failed' ? ` (${state.reason})` : '';
  context.warn(`${plan.vm}: ${link.nic}: nobody answers at ${placeOf(link)} yet${why}: QEMU tries again each second`);
}

function failed({ vm }: LaunchPlan, link: PlannedLink, reason: string): QrunError {
  const where = placeOf(link);
  if (link.role === 'listens') {
    return new QrunError('qemu-failed', `${vm}: ${link.nic}: QEMU could not listen on ${where}`, {
      causes: [reason],
      hint: `qrun show ${vm}`,
    });
  }
  return new QrunError(
    'host-failed',
    `${vm}: ${link.nic}: nobody answers at ${where}, and this QEMU does not try again`,
    {
      causes: [reason],
      hint:
        link.kind === 'stream'
          ? 'start the VM that listens first; QEMU 8.0 and newer try until it is there'
          : `qrun doctor ${vm}`,
    },
  );
}

/** The path, or the host and port, of the stream. */
function endOf({ netdev }: PlannedLink): { readonly path?: string; readonly host?: string; readonly port?: number } {
  const { addr } = netdev;
  if (typeof addr !== 'object' || Array.isArray(addr)) return {};
  const { path, host, port } = addr as Readonly<Record<string, unknown>>;
  if (typeof path === 'string') return { path };
  return typeof host === 'string' ? { host, port: Number(port) } : {};
}

function placeOf(link: PlannedLink): string {
  const { path, host = '', port = 0 } = endOf(link);
  return path ?? `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** By QEMU itself, and not by somebody who has the same name. */
function isListening(link: PlannedLink, pid: number): boolean {
  const { path, port } = endOf(link);
  if (path === undefined) return port !== undefined && readListeningPorts(pid).includes(port);
  const rows = readUnixSockets().filter((socket) => socket.listening && socket.path === path);
  const own = rows.length === 0 ? [] : readDescriptors(pid);
  return rows.some(({ inode }) => own.includes(`socket:[${inode}]`));
}
