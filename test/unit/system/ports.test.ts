import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { holderOfPort, mayHaveSocket, parseAddress, parseSocketRow } from '../../../src/system/ports.ts';

const tcp =
  '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 12345 1 0 100 0 0 10 0';

test('a row of /proc/net/tcp', () => {
  expect(parseSocketRow(tcp)).toEqual({
    address: Buffer.from([127, 0, 0, 1]),
    port: 8080,
    listening: true,
    waiting: 0,
    uid: 1001,
    inode: 12_345,
  });
  expect(parseSocketRow('  sl  local_address rem_address')).toBeUndefined();
  expect(parseSocketRow('')).toBeUndefined();
});

test('a row of /proc/net/tcp6', () => {
  const row = tcp
    .replace('0100007F', '00000000000000000000000001000000')
    .replace('00000000:0000', `${'0'.repeat(32)}:0000`);
  expect(parseSocketRow(row)?.address).toEqual(parseAddress('::1'));
});

test.each([
  ['127.0.0.1', '7f000001'],
  ['::', '0'.repeat(32)],
  ['::1', `${'0'.repeat(31)}1`],
  ['fe80::1%eth0', 'fe800000000000000000000000000001'],
  ['2001:db8::a:b', '20010db80000000000000000000a000b'],
  ['::ffff:10.0.0.1', '00000000000000000000ffff0a000001'],
])('the address %s', (text, hex) => {
  expect(parseAddress(text).toString('hex')).toBe(hex);
});

async function listening(host: string): Promise<{ port: number; close: () => void }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

test('ABUSE 35: the holder of a TCP port is named with its pid', async () => {
  const { port, close } = await listening('127.0.0.1');
  for (const address of ['127.0.0.1', '0.0.0.0', '::']) {
    expect(holderOfPort({ protocol: 'tcp', address, port })).toMatchObject({
      pid: process.pid,
      uid: process.getuid?.(),
      description: expect.stringContaining(`pid ${process.pid}`),
    });
  }
  expect(holderOfPort({ protocol: 'tcp', address: '127.0.0.2', port })).toBeUndefined();
  expect(holderOfPort({ protocol: 'udp', address: '127.0.0.1', port })).toBeUndefined();
  close();
});

test('a wildcard listener is in the way of every address', async () => {
  const { port, close } = await listening('0.0.0.0');
  expect(holderOfPort({ protocol: 'tcp', address: '127.0.0.1', port })?.pid).toBe(process.pid);
  close();
});

test('ABUSE 35: the holder of a UDP port', async () => {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  expect(holderOfPort({ protocol: 'udp', address: '127.0.0.1', port })?.pid).toBe(process.pid);
  socket.close();
});

test('a port that no socket has is known to be free; one that a socket has, of whatever family, may be taken', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  const { port } = server.address() as AddressInfo;
  // the table was not read before
  expect(mayHaveSocket('tcp', port)).toBe(true);
  expect(mayHaveSocket('udp', 1)).toBe(false);
  await new Promise((resolve) => server.close(resolve));
});
