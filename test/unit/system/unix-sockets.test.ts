import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findUnixSocket, parseUnixSockets, probeUnixSocket } from '../../../src/system/unix-sockets.ts';

const table = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 4242 /run/a b.sock
0000000000000000: 00000003 00000000 00000000 0001 03    77 /run/a b.sock
0000000000000000: 00000002 00000000 00000000 0001 02     0 /run/a b.sock
0000000000000000: 00000002 00000000 00000000 0002 01 43 /run/d
0000000000000000: 00000003 00000000 00000000 0001 03 44
0000000000000000: 00000002 00000000 00010000 0005 01 45 @abstract
`;

test('rows of /proc/net/unix, those with a name', () => {
  expect(parseUnixSockets(table)).toEqual([
    { path: '/run/a b.sock', type: 'stream', listening: true, waiting: false, inode: 4242 },
    { path: '/run/a b.sock', type: 'stream', listening: false, waiting: false, inode: 77 },
    { path: '/run/a b.sock', type: 'stream', listening: false, waiting: true, inode: 0 },
    { path: '/run/d', type: 'dgram', listening: false, waiting: false, inode: 43 },
    { path: '@abstract', type: 'seqpacket', listening: true, waiting: false, inode: 45 },
  ]);
});

test('a socket that listens is taken, by its own name and by another; a dead one is dead', async () => {
  const place = mkdtempSync(path.join(tmpdir(), 'qrun-unix-'));
  onTestFinished(() => rmSync(place, { recursive: true }));
  const [own, other] = [path.join(place, 'own'), path.join(place, 'other')];
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(own, resolve));
  expect(findUnixSocket(own)).toMatchObject({ type: 'stream', listening: true });
  expect(await probeUnixSocket(own)).toBe('taken');
  renameSync(own, other);
  expect(findUnixSocket(other)).toBeUndefined();
  expect(await probeUnixSocket(other)).toBe('taken');
  await new Promise((resolve) => server.close(resolve));
  expect(await probeUnixSocket(other)).toBe('dead');
  expect(await probeUnixSocket(path.join(place, 'none'))).toBe('dead');
});
