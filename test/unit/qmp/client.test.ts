import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectQmp } from '../../../src/qmp/client.ts';

let directory = '';
let socketPath = '';
let server: Server | undefined;
const sockets: Socket[] = [];
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'qrun-qmp-'));
  socketPath = path.join(directory, 'qmp');
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
  server = undefined;
  rmSync(directory, { recursive: true, force: true });
});

const greeting =
  '{"QMP": {"version": {"qemu": {"micro": 1, "minor": 0, "major": 9}, "package": ""}, "capabilities": []}}\r\n';

interface Command {
  readonly execute: string;
  readonly id: string;
  readonly arguments?: unknown;
}

/** Speaks as QEMU does: one greeting, then what `answer` says to each command. Undefined: no answer. */
function serve(answer: (command: Command, socket: Socket) => unknown, greet = greeting): Promise<void> {
  return new Promise((resolve) => {
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write(greet);
      let rest = '';
      socket.on('data', (chunk) => {
        rest += chunk.toString();
        const lines = rest.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const command = JSON.parse(line) as Command;
          const reply = command.execute === 'qmp_capabilities' ? { return: {} } : answer(command, socket);
          if (reply !== undefined) socket.write(`${JSON.stringify({ ...(reply as object), id: command.id })}\r\n`);
        }
      });
    });
    server.listen(socketPath, () => resolve());
  });
}

describe('a conversation', () => {
  test('begins with the greeting, and gives what QEMU returns', async () => {
    await serve((command) => ({ return: { echo: command.arguments } }));
    const client = await connectQmp(socketPath);
    expect(client.version).toEqual({ major: 9, minor: 0, micro: 1 });
    expect(await client.execute('query-x', { a: 1 })).toEqual({ echo: { a: 1 } });
    const both = await Promise.all([client.execute('a', { n: 1 }), client.execute('b', { n: 2 })]);
    expect(both).toEqual([{ echo: { n: 1 } }, { echo: { n: 2 } }]);
    client.close();
  });

  test('a refusal has the words of QEMU', async () => {
    await serve(() => ({ error: { class: 'CommandNotFound', desc: 'The command x has not been found' } }));
    const client = await connectQmp(socketPath);
    await expect(client.execute('x')).rejects.toMatchObject({
      code: 'qemu-failed',
      message: expect.stringContaining('has not been found') as string,
      causes: ['CommandNotFound'],
    });
    client.close();
  });

  test('a line of the human monitor gives its text', async () => {
    await serve((command) => ({ return: `did ${JSON.stringify(command.arguments)}\r\n` }));
    const client = await connectQmp(socketPath);
    expect(await client.hmp('info network')).toContain('"command-line":"info network"');
    client.close();
  });

  test('events reach their listener, between answers', async () => {
    await serve((_, socket) => {
      socket.write('{"timestamp": {"seconds": 1, "microseconds": 0}, "event": "STOP"}\r\n');
      return { return: {} };
    });
    const client = await connectQmp(socketPath);
    const seen: string[] = [];
    client.onEvent((event) => seen.push(event.event));
    await client.execute('stop');
    expect(seen).toEqual(['STOP']);
    client.close();
  });

  test('the end of QEMU is the answer to quit, and to nothing else', async () => {
    await serve((_, socket) => void socket.destroy());
    const quitting = await connectQmp(socketPath);
    await expect(quitting.execute('quit')).resolves.toEqual({});
    await expect(quitting.execute('query-status')).rejects.toMatchObject({ code: 'host-failed' });
    const asking = await connectQmp(socketPath);
    await expect(asking.execute('query-status')).rejects.toMatchObject({ code: 'host-failed' });
  });

  test('an answer that does not come ends in a timeout, and the connection is still good', async () => {
    await serve((command) => (command.execute === 'slow' ? undefined : { return: 1 }));
    const client = await connectQmp(socketPath);
    await expect(client.execute('slow', undefined, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'timeout' });
    expect(await client.execute('fast')).toBe(1);
    client.close();
    await expect(client.execute('fast')).rejects.toMatchObject({ code: 'host-failed' });
  });
});

describe('no conversation', () => {
  test('where nobody listens', async () => {
    await expect(connectQmp(socketPath)).rejects.toMatchObject({ code: 'host-failed', causes: ['ENOENT'] });
  });

  test('ABUSE 65: where another client holds the monitor there is no greeting', async () => {
    await serve(() => undefined, '');
    await expect(connectQmp(socketPath, { greetingTimeoutMs: 30 })).rejects.toMatchObject({ code: 'timeout' });
  });

  test('with a peer that never ends its line', async () => {
    await serve(() => undefined, 'x'.repeat(17 * 1024 * 1024));
    await expect(connectQmp(socketPath)).rejects.toMatchObject({ code: 'host-failed' });
  });

  test('over a path that the kernel would cut', async () => {
    await expect(connectQmp(`/tmp/${'x'.repeat(120)}`)).rejects.toThrow(/too long for a socket/);
  });
});
