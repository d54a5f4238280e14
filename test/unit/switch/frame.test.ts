/** Addresses, frames and the streams that they come in. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { formatIpv4, formatMac, isHostOf, parseIpv4, parseMac, parseSubnet } from '../../../src/switch/address.ts';
import { chunkSize, createChunkPool, maxWaiting } from '../../../src/switch/chunk-pool.ts';
import { FrameReader } from '../../../src/switch/frame-reader.ts';
import {
  buildArpReply,
  buildDatagram,
  checksum,
  maxFrameSize,
  parseArp,
  parseDatagram,
} from '../../../src/switch/frame.ts';
import { createLog } from '../../../src/switch/log.ts';
import { maxQueued, SendQueue } from '../../../src/switch/send-queue.ts';
import { envelop, framesOf, ipOf, macOf, udpFrame } from './a-frame.ts';

describe('addresses', () => {
  test('are read and written', () => {
    fc.assert(fc.property(fc.nat(0xffff_ffff), (ip) => parseIpv4(formatIpv4(ip)) === ip));
    fc.assert(
      fc.property(fc.maxSafeNat(), (number) => {
        const mac = number % 2 ** 48;
        const isGroup = Math.floor(mac / 2 ** 40) % 2 === 1;
        expect(parseMac(formatMac(mac))).toBe(mac === 0 || isGroup ? undefined : mac);
      }),
    );
  });

  test.for(['', '1', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.4 ', '0x1.2.3.4', '1.2.3.-4', '::1'])(
    '%j is no IPv4 address',
    (text) => {
      expect(parseIpv4(text)).toBeUndefined();
    },
  );

  test('a subnet has a first and a last address that no guest can have', () => {
    const subnet = parseSubnet('10.44.1.7/23');
    expect(subnet).toEqual({ network: ipOf('10.44.0.0'), broadcast: ipOf('10.44.1.255'), mask: ipOf('255.255.254.0') });
    if (subnet === undefined) return;
    expect(
      ['10.44.0.0', '10.44.0.1', '10.44.1.254', '10.44.1.255', '10.45.0.1'].map((ip) => isHostOf(subnet, ipOf(ip))),
    ).toEqual([false, true, true, false, false]);
    expect(
      ['10.44.0.0', '10.44.0.0/7', '10.44.0.0/31', '10.44.0.0/24/1', 'x/24', '10.44.0.0/'].map(parseSubnet),
    ).toEqual(Array(6).fill(undefined));
  });
});

const datagrams = fc.record({
  sourceMac: fc.nat(0xffff_ffff).map((low) => 0x5254_0000_0000 + low),
  destinationMac: fc.nat(0xffff_ffff).map((low) => 0x5254_0000_0000 + low),
  sourceIp: fc.nat(0xffff_ffff),
  destinationIp: fc.nat(0xffff_ffff),
  sourcePort: fc.nat(0xffff),
  destinationPort: fc.nat(0xffff),
  payload: fc.uint8Array({ maxLength: 1472 }).map((bytes) => Buffer.from(bytes)),
});

describe('datagrams', () => {
  test('are read as they were built, with sums that are right', () => {
    fc.assert(
      fc.property(datagrams, (datagram) => {
        const [built = Buffer.alloc(0)] = framesOf(buildDatagram(datagram));
        expect(built.length).toBeGreaterThanOrEqual(60);
        expect(parseDatagram(built)).toEqual(datagram);
        const ip = built.subarray(14, 34);
        expect(checksum(ip)).toBe(0);
        const udp = built.subarray(34, 34 + 8 + datagram.payload.length);
        const header = Buffer.concat([ip.subarray(12, 20), Buffer.from([0, 17]), udp.subarray(4, 6)]);
        expect(checksum(Buffer.concat([header, udp]))).toBe(0);
      }),
    );
  });

  test('lengths that lie, fragments and other protocols are none', () => {
    const good = udpFrame({
      from: '52:54:00:00:00:01',
      to: '52:54:00:00:00:02',
      source: '10.0.0.1',
      destination: '10.0.0.2',
      sourcePort: 1,
      destinationPort: 2,
    });
    expect(parseDatagram(good)?.payload.length).toBe(20);
    const change = (offset: number, value: number): Buffer => {
      const changed = Buffer.from(good);
      changed[offset] = value;
      return changed;
    };
    const bad = [
      good.subarray(0, 41),
      change(12, 9), // type
      change(14, 0x65), // version
      change(14, 0x44), // a header of 16 bytes
      change(14, 0x4f), // a header behind the end
      change(16, 255), // total length
      change(20, 0x20), // more fragments
      change(21, 1), // a later fragment
      change(23, 6), // TCP
      change(38, 255), // UDP length
      change(39, 7),
    ];
    expect(bad.map(parseDatagram)).toEqual(bad.map(() => undefined));
  });

  test('any bytes are read without a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(220), (bytes, end) => {
        const buffer = Buffer.from(bytes);
        parseDatagram(buffer);
        parseArp(buffer, Math.min(14, buffer.length), Math.min(end, buffer.length));
      }),
    );
  });
});

test('an answer to ARP says who has the address', () => {
  const [reply = Buffer.alloc(0)] = framesOf(
    buildArpReply(ipOf('10.44.0.1'), macOf('52:55:0a:2c:00:01'), {
      mac: macOf('52:54:00:00:00:09'),
      ip: ipOf('10.44.0.9'),
    }),
  );
  expect(reply.toString('hex', 0, 42)).toBe(
    '525400000009' +
      '52550a2c0001' +
      '0806' +
      '0001080006040002' +
      '52550a2c0001' +
      '0a2c0001' +
      '525400000009' +
      '0a2c0009',
  );
  expect(reply.length).toBe(60);
});

/** Everything that a reader shows, when the bytes come in such pieces. */
function readInPieces(bytes: Buffer, cuts: readonly number[], lend = false) {
  const pool = createChunkPool();
  const frames: Buffer[] = [];
  const lent: { readonly view: Buffer; readonly copy: Buffer; readonly chunk: Buffer }[] = [];
  const reader = new FrameReader(pool, {
    frame: (chunk, start, end) => {
      frames.push(Buffer.from(chunk.subarray(start + 4, end)));
      if (!lend) return;
      pool.hold(chunk);
      lent.push({ chunk, view: chunk.subarray(start, end), copy: Buffer.from(chunk.subarray(start, end)) });
    },
    flush: () => {},
  });
  let at = 0;
  let good = true;
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  for (const end of ends) {
    while (good && at < end) {
      const room = reader.room();
      const count = Math.min(end - at, room.length);
      expect(count).toBeGreaterThan(0);
      bytes.copy(room, 0, at, at + count);
      at += count;
      good = reader.advance(count);
    }
  }
  return { good, frames, lent };
}

describe('a stream of frames', () => {
  const someFrames = fc.array(
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 30 },
  );

  test('is the same in whatever pieces it comes', () => {
    fc.assert(
      fc.property(someFrames, fc.array(fc.nat(20_000), { maxLength: 20 }), (frames, cuts) => {
        expect(readInPieces(envelop(...frames), cuts)).toMatchObject({ good: true, frames });
      }),
    );
  });

  test('is not read over what is still being sent', () => {
    fc.assert(
      fc.property(someFrames, fc.array(fc.nat(20_000), { maxLength: 20 }), (frames, cuts) => {
        const { lent } = readInPieces(envelop(...frames), cuts, true);
        expect(lent.map(({ view }) => view)).toEqual(lent.map(({ copy }) => copy));
        expect(lent).toHaveLength(frames.length);
      }),
    );
  });

  test('has frames of every size up to 64 KiB and a tagged header', () => {
    const frames = [1, 65_535, maxFrameSize, maxFrameSize, 14, maxFrameSize].map((size, index) =>
      Buffer.alloc(size, index + 1),
    );
    const read = readInPieces(envelop(...frames), [70_000, 70_001, 200_000]);
    expect(read.good).toBe(true);
    expect(read.frames.map(({ length }) => length)).toEqual(frames.map(({ length }) => length));
    expect(Buffer.concat(read.frames).equals(Buffer.concat(frames))).toBe(true);
  });

  test.for([0, maxFrameSize + 1, 0x7fff_ffff, 0xffff_ffff])('ends at the length %i', (size) => {
    const bad = Buffer.alloc(100);
    bad.writeUInt32BE(size);
    expect(readInPieces(Buffer.concat([envelop(Buffer.alloc(60)), bad]), [])).toMatchObject({
      good: false,
      frames: [Buffer.alloc(60)],
    });
  });

  test('of any bytes is read without a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.array(fc.nat(2000), { maxLength: 10 }), (bytes, cuts) => {
        expect(readInPieces(Buffer.from(bytes), cuts).good).toBeTypeOf('boolean');
      }),
    );
  });
});

describe('what waits to be sent', () => {
  test('comes out in order, and never exceeds its limit', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: maxFrameSize }), { maxLength: 60 }), (sizes) => {
        const queue = new SendQueue(createChunkPool());
        const taken: number[] = [];
        const kept = sizes.filter((size, index) => queue.add(Buffer.alloc(size, index), 0, size));
        expect(queue.size).toBe(kept.reduce((sum, size) => sum + size, 0));
        expect(queue.size).toBeLessThanOrEqual(maxQueued);
        for (let next = queue.take(); next !== undefined; next = queue.take()) taken.push(next.filled);
        expect(taken.reduce((sum, size) => sum + size, 0)).toBe(kept.reduce((sum, size) => sum + size, 0));
        expect(Math.max(0, ...taken)).toBeLessThanOrEqual(chunkSize);
      }),
      { numRuns: 30 },
    );
  });

  test('is refused when there is no room, and taken again when there is', () => {
    const queue = new SendQueue(createChunkPool());
    const big = Buffer.alloc(60_000);
    let count = 0;
    while (queue.add(big, 0, big.length)) count += 1;
    expect(count * big.length).toBeGreaterThan(maxQueued * 0.8);
    expect(queue.add(big, 0, big.length)).toBe(false);
    queue.take();
    expect(queue.add(big, 0, big.length)).toBe(true);
  });
});

describe('what waits for many', () => {
  const big = Buffer.alloc(60_000);
  const fill = (queue: SendQueue): void => {
    while (queue.add(big, 0, big.length));
  };

  test('never exceeds its limit; who has not moved for the longest gives up first, and gets no more until it moves', () => {
    const pool = createChunkPool();
    const queues = Array.from({ length: 300 }, () => new SendQueue(pool));
    for (const queue of queues) {
      fill(queue);
      expect(pool.waitingBytes).toBeLessThanOrEqual(maxWaiting);
    }
    const full = maxWaiting / maxQueued;
    expect(queues.map(({ size }) => size > 0)).toEqual(queues.map((_, index) => index >= queues.length - full));
    const [first, ...others] = queues;
    expect(first?.add(big, 0, big.length)).toBe(false);
    expect(first?.take()).toBeUndefined();
    expect(first?.add(big, 0, big.length)).toBe(true);
    for (const queue of [first, ...others]) queue?.close();
    expect(pool.waitingBytes).toBe(0);
  });

  test('one that moves is not robbed by those that stand still', () => {
    const pool = createChunkPool();
    const steady = new SendQueue(pool);
    fill(steady);
    for (let count = 0; count < 300; count++) {
      fill(new SendQueue(pool));
      const taken = steady.take();
      expect(taken?.filled).toBeGreaterThan(0);
      if (taken !== undefined) pool.letGo(taken.chunk);
      expect(steady.add(big, 0, big.length)).toBe(true);
    }
    expect(pool.waitingBytes).toBeLessThanOrEqual(maxWaiting);
  });

  test('what is still being sent counts, what is read into does not', () => {
    const pool = createChunkPool();
    for (let count = 0; count < maxWaiting / chunkSize; count++) pool.hold(pool.take());
    const queue = new SendQueue(pool);
    expect(queue.add(big, 0, big.length)).toBe(false);
    const reader = new FrameReader(pool, { frame: () => {}, flush: () => {} });
    expect(pool.waitingBytes).toBe(maxWaiting);
    reader.close();
    expect(pool.waitingBytes).toBe(maxWaiting);
  });

  test('is given back when it is not needed any more', () => {
    vi.useFakeTimers();
    try {
      const pool = createChunkPool();
      const queue = new SendQueue(pool);
      fill(queue);
      const other = Array.from({ length: 20 }, () => pool.take());
      queue.close();
      for (const chunk of other) pool.letGo(chunk);
      expect(pool.spareBytes).toBeGreaterThan(2 * 1024 * 1024);
      vi.advanceTimersByTime(60_000);
      expect(pool.spareBytes).toBeLessThanOrEqual(1024 * 1024);
    } finally {
      vi.useRealTimers();
    }
  });
});

test('slow ports are told in one line, each once', () => {
  vi.useFakeTimers();
  try {
    const lines: string[] = [];
    const log = createLog({ write: (line) => void lines.push(line), now: () => new Date(0) });
    for (const name of ['a', 'b', 'a', 'c']) log.together('lost', name, (names) => `lost by ${names.join()}`);
    vi.advanceTimersByTime(5000);
    for (const name of ['a', 'd']) log.together('lost', name, (names) => `lost by ${names.join()}`);
    vi.advanceTimersByTime(5000);
    expect(lines.map((line) => line.replace(/^\S+ switch: /, ''))).toEqual(['lost by a,b,c\n', 'lost by d\n']);
  } finally {
    vi.useRealTimers();
  }
});

test('chunks are used again, but not while somebody holds them', () => {
  const pool = createChunkPool();
  const first = pool.take();
  pool.hold(first);
  expect(pool.isShared(first)).toBe(true);
  pool.letGo(first);
  expect(pool.take() === first).toBe(false);
  pool.letGo(first);
  expect(pool.take() === first).toBe(true);
  const stranger = Buffer.alloc(10);
  pool.hold(stranger);
  pool.letGo(stranger);
  expect(pool.take() === stranger).toBe(false);
});
