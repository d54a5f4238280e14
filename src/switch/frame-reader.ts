/**
 * Takes the bytes of a stream of QEMU's apart: each frame comes behind its length, 4 bytes, most significant first. Frames are shown where they lie
 * in the chunk that was read; the beginning of a frame that is not all there stays for the next read.
 */
import type { ChunkPool } from './chunk-pool.ts';
import { envelopeSize, maxFrameSize } from './frame.ts';

export interface FrameSink {
  /** `start` is where the envelope begins, `end` where the frame ends. The bytes are good until `flush` returns, or longer for who holds the chunk. */
  frame(chunk: Buffer, start: number, end: number): void;
  /** Behind the last whole frame of a read. */
  flush(): void;
}

export class FrameReader {
  readonly #pool: ChunkPool;
  readonly #sink: FrameSink;
  #chunk: Buffer;
  /** Bytes at the beginning of the chunk that belong to an unfinished frame. */
  #kept = 0;
  #room: Buffer;

  constructor(pool: ChunkPool, sink: FrameSink) {
    this.#pool = pool;
    this.#sink = sink;
    pool.reading(1);
    this.#chunk = pool.take();
    this.#room = this.#chunk;
  }

  /** Where the next bytes belong. */
  room(): Buffer {
    return this.#room;
  }

  /**
   * So many bytes have come into the room.
   * @returns false for a length that no frame has: nothing behind it can be understood
   */
  advance(count: number): boolean {
    const filled = this.#kept + count;
    const chunk = this.#chunk;
    let start = 0;
    while (filled - start >= envelopeSize) {
      const size = chunk.readUInt32BE(start);
      if (size === 0 || size > maxFrameSize) return this.#end(filled, false);
      const end = start + envelopeSize + size;
      if (end > filled) break;
      this.#sink.frame(chunk, start, end);
      start = end;
    }
    return this.#end(filled, true, start);
  }

  #end(filled: number, good: boolean, start = filled): boolean {
    this.#sink.flush();
    const kept = filled - start;
    const old = this.#chunk;
    const shared = this.#pool.isShared(old);
    if (shared) {
      this.#chunk = this.#pool.take();
      old.copy(this.#chunk, 0, start, filled);
      this.#pool.letGo(old);
    } else if (start > 0 && kept > 0) old.copyWithin(0, start, filled);
    // a view is made only when it is another one: in most reads it is not
    if (shared || kept !== this.#kept) this.#room = this.#chunk.subarray(kept);
    this.#kept = kept;
    return good;
  }

  /** After this it may not be used. */
  close(): void {
    this.#pool.reading(-1);
    this.#pool.letGo(this.#chunk);
  }
}
