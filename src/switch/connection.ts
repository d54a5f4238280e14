/** One connection to a QEMU's stream socket, from its making to its end: frames in, frames out, and a bounded queue for what is not taken at once. */
import { createConnection, type Socket } from 'node:net';
import { errnoOf } from '../errors.ts';
import type { ChunkPool } from './chunk-pool.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { SendQueue } from './send-queue.ts';

/** Why it ended: QEMU's side closed it, it sent what is no frame, or the errno of what failed. */
export type ConnectionEnd = 'closed' | 'nonsense' | (string & {});

export interface ConnectionOptions {
  readonly path: string;
  readonly pool: ChunkPool;
  /** It is there: who takes its frames. */
  readonly onUp: () => FrameSink;
  /** Said once, and after `onUp` or without it. */
  readonly onEnd: (why: ConnectionEnd) => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #queue: SendQueue;
  #sink: FrameSink | undefined;
  /** The chunk with what the kernel has not taken yet; only then is anything in the queue. */
  #sending: Buffer | undefined;
  #end: ConnectionEnd = 'closed';
  #isOver = false;

  constructor(options: ConnectionOptions) {
    const { path, pool } = options;
    this.#options = options;
    this.#queue = new SendQueue(pool);
    this.#reader = new FrameReader(pool, {
      frame: (chunk, start, end) => this.#sink?.frame(chunk, start, end),
      flush: () => this.#sink?.flush(),
    });
    const buffer = (): Buffer => this.#reader.room();
    this.#socket = createConnection({ path, onread: { buffer, callback: (count) => this.#read(count) } });
    this.#socket.on('connect', () => {
      if (!this.#isOver) this.#sink = this.#options.onUp();
    });
    this.#socket.on('end', () => this.#socket.destroy());
    this.#socket.on('error', (error) => (this.#end = errnoOf(error) ?? 'error'));
    this.#socket.on('close', () => this.#close());
  }

  get queuedBytes(): number {
    return this.#queue.size;
  }

  /** Whole envelopes. Never waits: gives false if there is no room for them, and they are lost. */
  send(bytes: Buffer, start: number, end: number): boolean {
    if (this.#sink === undefined) return false;
    if (this.#sending !== undefined) return this.#queue.add(bytes, start, end);
    this.#write(bytes.subarray(start, end), bytes);
    return true;
  }

  /** Ends it; `onEnd` is not called any more, and no frame comes. */
  abandon(): void {
    this.#isOver = true;
    this.#sink = undefined;
    this.#socket.destroy();
  }

  #read(count: number): boolean {
    if (this.#reader.advance(count)) return true;
    this.#end = 'nonsense';
    this.#socket.destroy();
    return false;
  }

  /** `chunk` has the bytes, and is held until the kernel has them too. */
  #write(bytes: Buffer, chunk: Buffer): void {
    this.#socket.write(bytes, this.#written);
    if (this.#socket.writableLength === 0) return;
    this.#options.pool.hold(chunk);
    this.#sending = chunk;
  }

  readonly #written = (): void => {
    const { pool } = this.#options;
    if (this.#sending === undefined || this.#socket.writableLength > 0) return;
    pool.letGo(this.#sending);
    this.#sending = undefined;
    // what the kernel takes at once leaves nothing to wait for: then the next one follows here, or the queue would stand still
    while (this.#sending === undefined) {
      const next = this.#queue.take();
      if (next === undefined) return;
      this.#write(next.chunk.subarray(0, next.filled), next.chunk);
      pool.letGo(next.chunk);
    }
  };

  #close(): void {
    if (this.#sending !== undefined) this.#options.pool.letGo(this.#sending);
    this.#sending = undefined;
    this.#sink = undefined;
    this.#queue.close();
    this.#reader.close();
    if (!this.#isOver) this.#options.onEnd(this.#end);
    this.#isOver = true;
  }
}
