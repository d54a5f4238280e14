/**
 * A client of a QMP socket. QEMU serves one client at a time: a second one connects and hears nothing until the first leaves, hence the time
 * limit of the greeting. Keep a connection for as long as one conversation takes, and no longer.
 */
import { connect, type Socket } from 'node:net';
import { errnoOf, QrunError } from '../errors.ts';
import { createLineDecoder } from './line-codec.ts';
import { parseQmpMessage, type QmpEvent, type QmpMessage, type QmpVersion } from './message.ts';

export interface QmpClient {
  readonly version: QmpVersion;
  /** @throws QrunError `qemu-failed` when QEMU refuses it, `timeout`, `host-failed` when the connection is lost */
  readonly execute: (
    command: string,
    args?: Readonly<Record<string, unknown>>,
    options?: ExecuteOptions,
  ) => Promise<unknown>;
  /** A line of the human monitor; gives what it prints. Failures are text as well: the human monitor knows no errors. */
  readonly hmp: (line: string) => Promise<string>;
  /** Events that come while this client is connected. */
  readonly onEvent: (listener: (event: QmpEvent) => void) => void;
  readonly close: () => void;
}

export interface ExecuteOptions {
  /** Default 10 000. */
  readonly timeoutMs?: number;
}

export interface ConnectOptions {
  /** From the call to the greeting. Default 3000. */
  readonly greetingTimeoutMs?: number;
}

/** query-qmp-schema has 250 KB. */
const maxLineBytes = 16 * 1024 * 1024;
/** The kernel's limit without the final NUL; beyond it Node would connect to a path that is cut. */
const maxSocketPathBytes = 107;

interface Pending {
  readonly resolve: (message: QmpMessage) => void;
  readonly reject: (error: QrunError) => void;
}

/** @throws QrunError `host-failed` when nobody listens, `timeout` when QEMU does not greet: another client holds the monitor, or QEMU hangs */
export async function connectQmp(path: string, { greetingTimeoutMs = 3000 }: ConnectOptions = {}): Promise<QmpClient> {
  if (Buffer.byteLength(path) > maxSocketPathBytes) {
    throw new QrunError('host-failed', `${path}: too long for a socket: ${maxSocketPathBytes} bytes at most`);
  }
  const session = createSession(path);
  try {
    const greeting = await session.wait('greeting', { timeoutMs: greetingTimeoutMs, what: 'a greeting' });
    if (greeting.kind !== 'greeting') throw new QrunError('host-failed', `${path}: no QMP monitor speaks there`);
    const execute = executeOn(session);
    await execute('qmp_capabilities', undefined, { timeoutMs: greetingTimeoutMs });
    return {
      version: greeting.version,
      execute,
      hmp: async (line) => String(await execute('human-monitor-command', { 'command-line': line })),
      onEvent: session.onEvent,
      close: session.close,
    };
  } catch (error) {
    session.close();
    throw error;
  }
}

function executeOn(session: Session): QmpClient['execute'] {
  let count = 0;
  return async (command, args, { timeoutMs = 10_000 } = {}) => {
    count += 1;
    const id = `q${count}`;
    const answer = session.wait(id, { timeoutMs, what: `an answer to ${command}`, endIsSuccess: command === 'quit' });
    session.send({ execute: command, ...(args !== undefined && { arguments: args }), id });
    const message = await answer;
    if (message.kind === 'error') {
      throw new QrunError('qemu-failed', `QEMU refused ${command}: ${message.description}`, {
        causes: [message.errorClass],
      });
    }
    return message.kind === 'return' ? message.value : undefined;
  };
}

interface WaitOptions {
  readonly timeoutMs: number;
  readonly what: string;
  /** QEMU may end before its answer to `quit` arrives: the end is the answer. */
  readonly endIsSuccess?: boolean;
}

interface Session {
  readonly wait: (id: string, options: WaitOptions) => Promise<QmpMessage>;
  readonly send: (command: object) => void;
  readonly onEvent: (listener: (event: QmpEvent) => void) => void;
  readonly close: () => void;
}

function createSession(path: string): Session {
  const pending = new Map<string, Pending>();
  const listeners: ((event: QmpEvent) => void)[] = [];
  let ended: QrunError | undefined;
  const end = (error: QrunError): void => {
    ended ??= error;
    for (const { reject } of pending.values()) reject(ended);
    pending.clear();
  };
  const receive = (message: QmpMessage): void => {
    if (message.kind === 'event') {
      for (const listener of listeners) listener(message);
      return;
    }
    const id = message.kind === 'greeting' ? 'greeting' : (message.id ?? '');
    pending.get(id)?.resolve(message);
    pending.delete(id);
  };
  const socket = openSocket(path, { receive, end });
  return {
    wait: (id, options) => waitFor({ id, options, pending, path, ended: () => ended }),
    send: (command) => void socket.write(`${JSON.stringify(command)}\n`),
    onEvent: (listener) => void listeners.push(listener),
    close: () => {
      end(lost(path, undefined));
      socket.destroy();
    },
  };
}

function waitFor(request: {
  readonly id: string;
  readonly options: WaitOptions;
  readonly pending: Map<string, Pending>;
  readonly path: string;
  readonly ended: () => QrunError | undefined;
}): Promise<QmpMessage> {
  const { id, options, pending, path, ended } = request;
  const already = ended();
  if (already !== undefined) return Promise.reject(already);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      pending.delete(id);
      reject(unanswered(path, options));
    }, options.timeoutMs);
    pending.set(id, {
      resolve: (message) => {
        clearTimeout(timer);
        resolve(message);
      },
      reject: (error) => {
        clearTimeout(timer);
        if (options.endIsSuccess === true) resolve({ kind: 'return', value: {} });
        else reject(error);
      },
    });
  });
}

function openSocket(
  path: string,
  { receive, end }: { receive: (message: QmpMessage) => void; end: (error: QrunError) => void },
): Socket {
  const decoder = createLineDecoder({ maxLineBytes });
  const socket = connect({ path });
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const line of decoder.push(chunk)) {
        const message = parseQmpMessage(line);
        if (message !== undefined) receive(message);
      }
    } catch (error) {
      end(lost(path, error));
      socket.destroy();
    }
  });
  socket.on('error', (error) => end(lost(path, error)));
  socket.on('close', () => end(lost(path, undefined)));
  return socket;
}

function lost(path: string, error: unknown): QrunError {
  const errno = errnoOf(error);
  const words =
    errno === 'ENOENT' || errno === 'ECONNREFUSED'
      ? 'no QEMU listens there'
      : errno === 'EACCES'
        ? 'this user may not use it'
        : 'the connection to QEMU was lost';
  const code = errno === 'EACCES' ? 'permission' : 'host-failed';
  return new QrunError(
    code,
    `${path}: ${words}`,
    error === undefined
      ? {}
      : { cause: error, causes: [errno ?? (error instanceof Error ? error.message : 'unknown')] },
  );
}

function unanswered(path: string, { timeoutMs, what }: WaitOptions): QrunError {
  return new QrunError('timeout', `${path}: QEMU gave no answer within ${timeoutMs / 1000} s (${what})`, {
    hint: 'another program may hold the monitor (qrun monitor, a script), or QEMU hangs',
  });
}
