import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createChunkPool } from '../../../src/switch/chunk-pool.ts';
import { Connection } from '../../../src/switch/connection.ts';

let place: string;
let server: Server;
let guest: Promise<Socket>;

beforeEach(async () => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-con-'));
  server = createServer();
  guest = new Promise((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(path.join(place, 'port'), resolve));
});

afterEach(() => {
  server.close();
  rmSync(place, { recursive: true });
});

const connected = (): Promise<Connection> =>
  new Promise((resolve) => {
    const connection: Connection = new Connection({
      path: path.join(place, 'port'),
      pool: createChunkPool(),
      onUp: () => {
        resolve(connection);
        return { frame: () => {}, flush: () => {} };
      },
      onEnd: () => {},
    });
  });

/** Each is numbered, so that one that overtakes another is seen. */
function envelope(number: number, size: number): Buffer {
  const bytes = Buffer.alloc(4 + size, number & 0xff);
  bytes.writeUInt32BE(size, 0);
  bytes.writeUInt32BE(number, 4);
  return bytes;
}

test('what waited for a slow reader comes as a whole and in order, with nothing sent afterwards', async () => {
  const connection = await connected();
  const reader = await guest;
  reader.pause();
  const size = 1514;
  let sent = 0;
  while (connection.send(envelope(sent, size), 0, 4 + size)) sent += 1;
  expect(connection.queuedBytes).toBeGreaterThan(500_000);
  const got: Buffer[] = [];
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${bytes} of ${sent * (4 + size)} bytes came`)), 30_000);
    reader.on('data', (chunk) => {
      got.push(chunk);
      bytes += chunk.length;
      if (bytes < sent * (4 + size)) return;
      clearTimeout(timer);
      resolve();
    });
    reader.resume();
  });
  const all = Buffer.concat(got);
  const numbers = Array.from({ length: sent }, (_, index) => all.readUInt32BE(index * (4 + size) + 4));
  expect(numbers).toEqual(Array.from({ length: sent }, (_, index) => index));
  expect(connection.queuedBytes).toBe(0);
  connection.abandon();
  reader.destroy();
});
