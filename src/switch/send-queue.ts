/**
 * What could not be sent at once, copied into chunks that are sent as wholes. It has a limit, and so have all queues together (chunk-pool.ts): frames
 * for a port that does not take them are lost, as on a wire, and never wait in memory.
 */
import { chunkSize, type ChunkPool, type Waiting } from './chunk-pool.ts';

export const maxQueued = 1024 * 1024;

export class SendQueue implements Waiting {
  readonly #pool: ChunkPool;
  readonly #chunks: { readonly chunk: Buffer; filled: number }[] = [];
  /** It has given up its room to others, and gets none before the port takes something again. */
  #hasGivenUp = false;

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
      const chunk = this.#room();
      if (chunk === undefined) return false;
      last = { chunk, filled: 0 };
      this.#chunks.push(last);
    }
    bytes.copy(last.chunk, last.filled, start, end);
    last.filled += end - start;
    return true;
  }

  #room(): Buffer | undefined {
    if (this.#hasGivenUp || (this.#chunks.length + 1) * chunkSize > maxQueued) return undefined;
    return this.#pool.takeToWait(this);
  }

  /** The oldest of it, in a chunk that the caller holds from now on: the port has taken what it had before. */
  take(): { readonly chunk: Buffer; readonly filled: number } | undefined {
    const oldest = this.#chunks.shift();
    this.#hasGivenUp = false;
    this.#pool.moved(this, this.#chunks.length === 0);
    return oldest;
  }

  giveUp(): void {
    this.#hasGivenUp = true;
    this.#letGo();
  }

  close(): void {
    this.#pool.moved(this, true);
    this.#letGo();
  }

  #letGo(): void {
    for (const { chunk } of this.#chunks.splice(0)) this.#pool.letGo(chunk);
  }
}
