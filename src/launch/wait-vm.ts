/** `qrun wait`: until the VM ended, answers, or says something. */
import { QrunError } from '../errors.ts';
import { parseVmName } from '../names.ts';
import { waitForPort, waitForText, type WaitFor } from '../supervise/wait.ts';
import { delay } from '../system/delay.ts';
import { isAlive, readProcess } from '../system/processes.ts';
import { signalNumber } from '../system/signals.ts';
import { finishRun } from './end.ts';
import type { LaunchContext } from './prepare.ts';
import type { NetworkPort } from './network-port.ts';
import { canBeMet, metAt } from './nics-now.ts';
import { isRunningVm, notRunning, readVm, type RunningVm, type Where } from './vms.ts';

export interface WaitContext extends LaunchContext {
  readonly timeoutMs?: number;
}

/** @returns 0, or for `end` how it ended @throws QrunError `timeout`, `interrupted`, `guest-crashed` when the VM ended before what was waited for */
export async function waitForVm(name: string, what: WaitFor, context: WaitContext): Promise<number> {
  const vm = readVm(context, parseVmName(name));
  if (vm.pid === undefined && what.what === 'end') {
    const ended = await finishRun(vm.vm, context);
    if (ended !== undefined) return ended.status;
  }
  if (!isRunningVm(vm)) throw notRunning(vm);
  const done = new AbortController();
  const time = after(context.timeoutMs, done.signal);
  const gone = untilGone(vm, done.signal);
  const cut = interruption(context, done.signal);
  const over = new AbortController();
  void Promise.race([time, gone, cut]).then(() => over.abort());
  try {
    if (what.what === 'end') return await end(vm, context, await Promise.race([gone, time, cut]));
    const found =
      what.what === 'text'
        ? await waitForText(vm.files.consoleLog, what.pattern, over.signal)
        : await port(vm, what.port, { ...context, interrupted: over.signal });
    if (found) return 0;
    if (context.interrupted?.aborted === true) throw interrupted(name, context.interrupted);
    const ended = !isRunning(vm);
    throw ended
      ? new QrunError('guest-crashed', `${name} ended before that`, { hint: `qrun logs ${name}` })
      : timedOut(name, context);
  } finally {
    done.abort();
  }
}

async function end(vm: RunningVm, context: WaitContext, first: 'gone' | 'time' | 'cut'): Promise<number> {
  if (first === 'time') throw timedOut(vm.vm, context);
  if (first === 'cut') throw interrupted(vm.vm, context.interrupted);
  return (await finishRun(vm.vm, context, { runId: vm.record.runId }))?.status ?? 1;
}

interface UntilOver extends LaunchContext {
  readonly interrupted: AbortSignal;
}

async function port(vm: RunningVm, guestPort: number, context: UntilOver): Promise<boolean> {
  const { interrupted: signal } = context;
  const [found] = vm.record.nics.flatMap(({ kind, forwards = [] }) =>
    forwards
      .filter((one) => one.guestPort === guestPort && one.protocol === 'tcp')
      .map((forward) => ({ kind, forward })),
  );
  if (found === undefined) {
    const way = await networkPort(vm, guestPort, context);
    if (way !== undefined) return await waitForPort(way.forward, way.monitor, signal);
    const met = vm.record.nics.filter(canBeMet);
    if (met.length > 0) {
      const { waitForMetPort } = await import('../supervise/met-port.ts');
      return await waitForMetPort(() => met.flatMap((nic) => metAt(nic, context, true)), guestPort, signal);
    }
    throw new QrunError('usage', `${vm.vm} forwards no host port to its port ${guestPort}`, {
      hint: `add "auto:${guestPort}" to the forwards of a user NIC${orOnNetwork(vm, guestPort)}`,
    });
  }
  const { kind, forward } = found;
  if (kind === 'passt') return await (await import('../supervise/passt-port.ts')).waitForPasstPort(forward, signal);
  return await waitForPort(forward, { vm: vm.vm, qmp: vm.record.sockets.qmp, lock: vm.files.monitorLock }, signal);
}

async function networkPort(vm: RunningVm, guestPort: number, where: Where): Promise<NetworkPort | undefined> {
  if (networkOf(vm) === undefined) return undefined;
  return (await import('./network-port.ts')).findNetworkPort(vm, guestPort, where);
}

const networkOf = ({ record }: RunningVm): string | undefined =>
  record.nics.find(({ network }) => network !== undefined)?.network;

function orOnNetwork(vm: RunningVm, guestPort: number): string {
  const network = networkOf(vm);
  return network === undefined ? '' : `, or: qrun net forward ${network} auto:${vm.vm}:${guestPort}`;
}

function isRunning({ pid, record }: RunningVm): boolean {
  const startTime = record.startTime ?? readProcess(pid)?.startTime ?? -1;
  return isAlive({ pid, startTime, bootId: record.bootId });
}

async function untilGone(vm: RunningVm, done: AbortSignal): Promise<'gone'> {
  while (isRunning(vm) && !done.aborted) await delay(50);
  return 'gone';
}

function after(timeoutMs: number | undefined, done: AbortSignal): Promise<'time'> {
  return new Promise((resolve) => {
    if (timeoutMs === undefined) return;
    const timer = setTimeout(resolve, timeoutMs, 'time');
    done.addEventListener('abort', () => clearTimeout(timer));
  });
}

function interruption({ interrupted: signal }: WaitContext, done: AbortSignal): Promise<'cut'> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve('cut');
    signal?.addEventListener('abort', () => resolve('cut'), { signal: done });
  });
}

function interrupted(name: string, signal: AbortSignal | undefined): QrunError {
  const reason = signal?.reason as NodeJS.Signals;
  return new QrunError('interrupted', `${reason} came while ${name} was waited for`, {
    status: 128 + signalNumber(reason),
  });
}

const timedOut = (name: string, { timeoutMs }: WaitContext): QrunError =>
  new QrunError('timeout', `${name}: not within ${(timeoutMs ?? 0) / 1000} s`, {
    hint: `qrun logs ${name}, or a longer --timeout`,
  });
