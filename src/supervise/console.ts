/**
 * The serial console for a person. What the guest writes is read from the console's log, which has every byte since the start, so nothing is lost between
 * QEMU's start and this attachment, and any number of people can look on. What is typed goes through the socket, which serves one client: that one is found by a lock.
 */
import { connect, type Socket } from 'node:net';
import { closeSync } from 'node:fs';
import { QrunError } from '../errors.ts';
import { followFile } from '../system/follow-file.ts';
import { tryLockFile } from '../system/flock.ts';
import type { Terminal } from '../system/terminal.ts';

export interface ConsoleOptions {
  readonly vm: string;
  readonly socket: string;
  readonly log: string;
  readonly lock: string;
  /** Byte of the log to begin with. */
  readonly offset: number;
  readonly terminal: Terminal;
  /** Aborted when QEMU is gone: what is left in the log is still shown. */
  readonly ended: AbortSignal;
}

const leaveKey = 0x1d; // Ctrl-]

/** @returns `left` when the person pressed Ctrl-], `ended` when QEMU is gone @throws QrunError `in-use` when somebody else types there */
export async function attachConsole(options: ConsoleOptions): Promise<'left' | 'ended'> {
  const { terminal } = options;
  const left = new AbortController();
  const stop = AbortSignal.any([left.signal, options.ended]);
  const input = openInput(options);
  const restore = terminal.isInteractive ? terminal.setRaw() : () => {};
  const stopReading = terminal.onInput((chunk) => {
    const at = terminal.isInteractive ? chunk.indexOf(leaveKey) : -1;
    input.write(at < 0 ? chunk : chunk.subarray(0, at));
    if (at >= 0) left.abort();
  });
  try {
    for await (const chunk of followFile(options.log, { offset: options.offset, signal: stop }))
      await terminal.write(chunk);
    return left.signal.aborted ? 'left' : 'ended';
  } finally {
    stopReading();
    restore();
    input.close();
  }
}

interface Input {
  readonly write: (chunk: Uint8Array) => void;
  readonly close: () => void;
}

function openInput({ vm, socket, lock }: ConsoleOptions): Input {
  const fd = tryLockFile(lock);
  if (fd === undefined) {
    throw new QrunError('in-use', `${vm}: somebody else is at its console`, {
      hint: `qrun logs -f ${vm}   # shows what it writes`,
    });
  }
  const stream: Socket = connect(socket);
  stream.on('error', () => {}); // QEMU is ending; the log tells
  stream.resume();
  return {
    write: (chunk) => void stream.write(chunk),
    close: () => {
      stream.destroy();
      closeSync(fd);
    },
  };
}
