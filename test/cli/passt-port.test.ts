/** passt takes each connection at once; these are what it then does. */
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { PlannedForward } from '../../src/plan/launch-plan.ts';
import { waitForPasstPort } from '../../src/supervise/passt-port.ts';
import { aForward } from '../unit/qemu/a-profile.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function passtWith(serve: (socket: Socket, count: number) => void): Promise<PlannedForward> {
  let count = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on('error', () => {}));
    serve(socket, (count += 1));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1' }, resolve));
  const { port } = server.address() as { port: number };
  const forward = aForward({ hostPort: port });
  return { ...forward, step: 'port:net0:0', written: forward };
}

const within = (ms: number): AbortSignal => AbortSignal.timeout(ms);
const closes = (socket: Socket): void => void socket.on('end', () => socket.end()).resume();

test('a server that closes when it is told that nothing comes has answered', async () => {
  expect(await waitForPasstPort(await passtWith(closes), within(10_000))).toBe(true);
});

test('so has one that speaks first', async () => {
  expect(await waitForPasstPort(await passtWith((socket) => void socket.write('SSH-2.0')), within(10_000))).toBe(true);
});

test('a guest that refuses has not', async () => {
  expect(await waitForPasstPort(await passtWith((socket) => void socket.end()), within(2500))).toBe(false);
});

test('a guest that is not there has not, although the connection stays', async () => {
  expect(await waitForPasstPort(await passtWith(() => {}), within(3000))).toBe(false);
});

test('one that comes up later has, when it does', async () => {
  const forward = await passtWith((socket, count) => {
    if (count > 2) closes(socket);
    else socket.end();
  });
  expect(await waitForPasstPort(forward, within(20_000))).toBe(true);
});

test('nobody listens: passt itself has gone', async () => {
  const forward = await passtWith(() => {});
  servers.splice(0).forEach((server) => server.close());
  expect(await waitForPasstPort(forward, within(1000))).toBe(false);
});
