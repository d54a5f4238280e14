/**
 * What could not be sent at once, copied into chunks that are sent as wholes. It has a limit: frames for a port that does not take them are lost, as
 * on a wire, and never wait in memory.
 */
import { chunkSize, type ChunkPool } from './chunk-pool.ts';

export const maxQueued = 1024 * 1024;

export class SendQueue {
  readonly #pool: ChunkPool;
  readonly #chunks: { readonly chunk: Buffer; filled: number }[] = [];

  constructor(pool: ChunkPool) {
    this.#pool = pool;
  }

  get size(): number {
    return this.#chunks.reduce((sum, { filled }) => sum + filled, 0);
  }

  /** Whole envelopes, `start` to `end`, at most a chunk's worth. Gives false if there is no room for them. */
  add(bytes: Buffer, start: number, end: number): boolean {
    let last = this.#chunks.at(-1);
    if (last === undefined || last.filled + end - start > chunkSize) {
      if ((this.#chunks.length + 1) * chunkSize > maxQueued) return false;
      last = { chunk: this.#pool.take(), filled: 0 };
      this.#chunks.push(last);
    }
    bytes.copy(last.chunk, last.filled, start, end);
    last.filled += end - start;
    return true;
  }

  /** The oldest of it, in a chunk that the caller holds from now on. */
  take(): { readonly chunk: Buffer; readonly filled: number } | undefined {
    return this.#chunks.shift();
  }

  close(): void {
    for (const { chunk } of this.#chunks.splice(0)) this.#pool.letGo(chunk);
  }
}
