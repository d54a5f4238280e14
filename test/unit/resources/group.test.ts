import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import type { GroupStep } from '../../../src/plan/step.ts';
import { group } from '../../../src/resources/group.ts';
import { port } from '../../../src/resources/port.ts';
import { createSystem } from '../../../src/system/real.ts';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

const context = {
  system: createSystem(),
  runId: 'r1',
  descriptors: new Map<number, number>(),
  warn: () => {},
  record: () => {},
};
const asRoot = { ...context, system: { ...context.system, uid: 0 } };
const address = '239.77.1.2';

/** In the group, alone or letting others in. @returns the port */
async function member(reuseAddr: boolean): Promise<number> {
  const socket = createSocket({ type: 'udp4', reuseAddr });
  sockets.push(socket);
  socket.bind({ address, port: 0, exclusive: true });
  await once(socket, 'listening');
  return socket.address().port;
}

const step = (wanted: number, on = '127.0.0.1'): GroupStep => ({
  kind: 'group',
  id: 'group:net0',
  needsRoot: false,
  address,
  port: wanted,
  interface: on,
});

describe('a multicast group', () => {
  test('with others in it is joined and left again', async () => {
    const wanted = await member(true);
    expect(await group.acquire(step(wanted), context)).toEqual({});
    expect(await group.acquire(step(wanted), context)).toEqual({});
    expect(group.describe(step(wanted))).toEqual({
      acquire: [{ op: 'check-group', address, port: wanted, interface: '127.0.0.1' }],
      release: [],
    });
  });

  test('whose port somebody has for himself is in use, by the pid', async () => {
    const wanted = await member(false);
    await expect(group.acquire(step(wanted), context)).rejects.toMatchObject({
      code: 'in-use',
      message: expect.stringContaining(`(pid ${process.pid})`),
      hint: 'choose another port in group',
    });
  });

  test('on an address that no interface has is refused by the address', async () => {
    const wanted = await member(true);
    await expect(group.acquire(step(wanted, '198.51.100.77'), context)).rejects.toMatchObject({
      code: 'host-failed',
      message: expect.stringContaining('on 198.51.100.77: no interface that is up'),
    });
  });

  test("with a port that root may bind and root's QEMU may not is refused", async () => {
    await expect(group.acquire(step(80), asRoot)).rejects.toMatchObject({ code: 'permission' });
  });
});

test("a forward's port that root may bind and root's QEMU may not is refused as well", async () => {
  const forward = { kind: 'port', id: 'p', needsRoot: false, protocol: 'tcp', address: '127.0.0.1', port: 80 } as const;
  await expect(port.acquire(forward, asRoot)).rejects.toMatchObject({
    code: 'permission',
    message: 'tcp port 80 on 127.0.0.1: ordinary users may not bind it',
  });
});
