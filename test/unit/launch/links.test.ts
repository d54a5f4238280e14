/** What is said of a stream when QEMU runs: how long each state of it is looked at before somebody is told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { settleLinks, type LinksInput } from '../../../src/launch/links.ts';

let place = '';
let server: Server | undefined;
const sockets: Socket[] = [];
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-links-'));
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
  rmSync(place, { recursive: true });
});

interface Look {
  readonly is: string;
  /** What a busy machine takes until it is looked at again. */
  readonly thenMs: number;
}

/** A QEMU whose stream is so at each look, and as at the last from then on. */
function serve(looks: readonly Look[]): Promise<void> {
  const left = [...looks];
  const greeting = { QMP: { version: { qemu: { major: 10, minor: 0, micro: 0 }, package: '' }, capabilities: [] } };
  const answerTo = (command: string): unknown => {
    if (command !== 'human-monitor-command') return {};
    const look = left.length > 1 ? left.shift() : left[0];
    vi.advanceTimersByTime(look?.thenMs ?? 0);
    return ` \\ net0: index=0,type=stream,${look?.is}\r\n`;
  };
  return new Promise((resolve) => {
    server = createServer((socket) => {
      sockets.push(socket);
      socket.write(`${JSON.stringify(greeting)}\r\n`);
      socket.on('data', (chunk) => {
        for (const line of chunk.toString().trim().split('\n')) {
          const { execute, id } = JSON.parse(line) as { readonly execute: string; readonly id: string };
          socket.write(`${JSON.stringify({ return: answerTo(execute), id })}\r\n`);
        }
      });
    });
    server.listen(path.join(place, 'qmp'), resolve);
  });
}

/** @returns what a person is told of a stream that tries again by itself */
async function toldOf(looks: readonly Look[]): Promise<string[]> {
  await serve(looks);
  const addr = { type: 'unix', path: path.join(place, 'other.sock') };
  const link = { nic: 'net0', kind: 'stream', role: 'connects', netdev: { type: 'stream', id: 'net0', addr } };
  const plan = {
    vm: 'web1',
    sockets: { qmp: path.join(place, 'qmp') },
    links: [{ ...link, netdev: { ...link.netdev, 'reconnect-ms': 1000 } }],
  };
  const told: string[] = [];
  const input = { plan, pid: process.pid, monitorLock: path.join(place, 'lock'), steps: [], records: new Map() };
  await settleLinks(input as unknown as LinksInput, { warn: (text) => told.push(text) });
  return told;
}

test('one that connects late, on a busy machine, is told of to nobody', async () => {
  expect(
    await toldOf([
      { is: 'connecting', thenMs: 1000 },
      { is: 'unix:other.sock', thenMs: 0 },
    ]),
  ).toEqual([]);
});

test.each([
  ['is refused', { is: 'error: Connection refused', thenMs: 400 }, ' (Connection refused)'],
  ['is never answered', { is: 'connecting', thenMs: 2100 }, ''],
])('one that %s is told of', async (_how, look, why) => {
  expect(await toldOf([look])).toEqual([
    `web1: net0: nobody answers at ${place}/other.sock yet${why}: QEMU tries again each second`,
  ]);
});
