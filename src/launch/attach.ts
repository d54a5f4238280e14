/** `qrun console`: to the console of a VM that runs. */
import { existsSync, statSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { attachConsole } from '../supervise/console.ts';
import { delay } from '../system/delay.ts';
import { isAlive } from '../system/processes.ts';
import type { ForegroundContext } from './foreground.ts';
import { requireRunning } from './vms.ts';

/** @returns 0, also when the guest ended meanwhile */
export async function attachTo(name: string, context: ForegroundContext): Promise<number> {
  const { vm, record, files, pid } = requireRunning(context, name);
  const identity = { pid, startTime: record.startTime ?? 0, bootId: record.bootId };
  const socket = record.sockets.console;
  if (!existsSync(socket) && isAlive(identity)) throw unreachable(vm, socket);
  const ended = new AbortController();
  const left = new AbortController();
  const watch = (async () => {
    while (isAlive(identity) && !left.signal.aborted) await delay(100);
    ended.abort();
  })();
  if (context.terminal.isInteractive) context.note(`console of ${vm}; Ctrl-] leaves it`);
  const offset = statSync(files.consoleLog, { throwIfNoEntry: false })?.size ?? 0;
  try {
    const how = await attachConsole({
      vm,
      socket,
      log: files.consoleLog,
      lock: files.consoleLock,
      offset,
      terminal: context.terminal,
      ended: ended.signal,
    });
    context.note(how === 'left' ? `\r\n${vm} runs on` : `\r\n${vm} ended`);
    return 0;
  } finally {
    left.abort();
    await watch;
  }
}

/** A runtime directory goes away when its user logs out, and the VM runs on. */
function unreachable(vm: string, socket: string): QrunError {
  return new QrunError('host-failed', `${vm}: its console's socket is gone: what is typed would not reach it`, {
    causes: [socket],
    hint: `qrun logs -f ${vm}`,
  });
}
