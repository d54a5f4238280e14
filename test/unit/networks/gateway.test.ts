/** What the gateway's human monitor says, as QEMU 7.2 and 10.0 say it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseVmName } from '../../../src/names.ts';
import type { NetworkForward } from '../../../src/network/network-plan.ts';
import { withGateway } from '../../../src/networks/gateway.ts';

let directory = '';
let server: Server | undefined;
const sockets: Socket[] = [];
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'qrun-gateway-'));
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
  rmSync(directory, { recursive: true, force: true });
});

const greeting =
  '{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}';

/** Answers lines of the human monitor, and keeps them. */
function serve(answers: Readonly<Record<string, string>>): Promise<string[]> {
  const asked: string[] = [];
  return new Promise((resolve) => {
    server = createServer((socket) => {
      sockets.push(socket);
      socket.write(`${greeting}\r\n`);
      socket.on('data', (chunk) => {
        for (const line of chunk.toString().trim().split('\n')) {
          const command = JSON.parse(line) as { id: string; arguments?: { 'command-line'?: string } };
          const words = command.arguments?.['command-line'];
          if (words !== undefined) asked.push(words);
          const key = Object.keys(answers).find((one) => words?.startsWith(one));
          const answer = words === undefined ? {} : (answers[key ?? ''] ?? '');
          socket.write(`${JSON.stringify({ return: answer, id: command.id })}\r\n`);
        }
      });
    });
    server.listen(path.join(directory, 'qmp'), () => resolve(asked));
  });
}

const gateway = () => ({ name: parseVmName('lab'), monitor: path.join(directory, 'qmp'), netdev: 'out' });
const web: NetworkForward = {
  protocol: 'tcp',
  hostAddress: '127.0.0.1',
  hostPort: 8080,
  guest: 'web1',
  guestAddress: '10.44.0.50',
  guestPort: 80,
};
const refusal = "Could not set up host forwarding rule 'tcp:127.0.0.1:8080-10.44.0.50:80'\r\n";

test('silence is success', async () => {
  const asked = await serve({});
  await withGateway(gateway(), ({ add }) => add(web));
  expect(asked).toEqual(['hostfwd_add out tcp:127.0.0.1:8080-10.44.0.50:80']);
});

test('a text inside a success is a failure', async () => {
  await serve({ hostfwd_add: refusal });
  await expect(withGateway(gateway(), ({ add }) => add(web))).rejects.toMatchObject({
    code: 'host-failed',
    message: 'network lab: its gateway refuses tcp:127.0.0.1:8080-10.44.0.50:80',
    causes: [refusal.trim()],
  });
});

const usernet = (destination: string): string =>
  `Hub 0 (out):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  TCP[HOST_FORWARD]   9       127.0.0.1  8080  ${destination}    80     0     0\r\n`;

test('unless it has that forward already', async () => {
  await serve({ hostfwd_add: refusal, 'info usernet': usernet('10.44.0.50') });
  await withGateway(gateway(), ({ add }) => add(web));
  server?.close();
});

test('a forward of that port to another guest is a failure', async () => {
  await serve({ hostfwd_add: refusal, 'info usernet': usernet('10.44.0.51') });
  await expect(withGateway(gateway(), ({ add }) => add(web))).rejects.toMatchObject({ code: 'host-failed' });
});

test.each([
  'host forwarding rule for tcp:127.0.0.1:8080 removed\r\n',
  'host forwarding rule for tcp:127.0.0.1:8080 not found\r\n',
])('gone is gone: %j', async (answer) => {
  const asked = await serve({ hostfwd_remove: answer });
  await withGateway(gateway(), ({ remove }) => remove(web));
  expect(asked).toEqual(['hostfwd_remove out tcp:127.0.0.1:8080']);
});

test.each(['', "unrecognized netdev id 'out'\r\n"])(
  'whatever else is said of a removal is a failure: %j',
  async (answer) => {
    await serve({ hostfwd_remove: answer });
    await expect(withGateway(gateway(), ({ remove }) => remove(web))).rejects.toMatchObject({ code: 'host-failed' });
  },
);

test('one that is just being started is waited for', async () => {
  const done = withGateway(gateway(), ({ add }) => add(web));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const asked = await serve({});
  await done;
  expect(asked).toHaveLength(1);
});
