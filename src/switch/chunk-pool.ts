/**
 * Buffers that are read into and written from. A write that the kernel could not take at once goes on using the bytes that it was given, so whoever
 * read them may not read over them: each user of a chunk holds it, and the last one to let go gives it back for the next reader.
 *
 * What waits for slow ports has one limit for all of them. At the limit the queue that has not moved for the longest gives up what it has: guests
 * that are paused must not keep the room of one that is only slow.
 */

/** Holds the longest frame twice, so that a read always finds a good deal of room behind the beginning of a frame. */
export const chunkSize = 128 * 1024;

/** For all queues together. What is being read does not count: that is one chunk for each connection. */
export const maxWaiting = 16 * 1024 * 1024;

const maxWaitingChunks = maxWaiting / chunkSize;
/** Kept for the next one when nothing happens. */
const idleSpare = 8;
const idleAfterMs = 1000;

/** A queue that holds chunks. */
export interface Waiting {
  /** Lets go of all that it has. */
  giveUp(): void;
}

export interface ChunkPool {
  /** A chunk that the caller, who reads, holds. */
  take(): Buffer;
  /** A chunk for a queue; undefined if there is no room for it, not even after others have given up theirs. */
  takeToWait(queue: Waiting): Buffer | undefined;
  /** The queue has moved, and so is the last one to give up; or it is empty. */
  moved(queue: Waiting, isEmpty: boolean): void;
  /** One more who always holds one chunk to read into, or one less: such chunks do not wait. */
  reading(change: 1 | -1): void;
  /** One more holder; nothing happens for a buffer that is not the pool's. */
  hold(chunk: Buffer): void;
  letGo(chunk: Buffer): void;
  /** Whether somebody holds it besides the one who asks. */
  isShared(chunk: Buffer): boolean;
  /** Bytes of the chunks that somebody holds and nobody reads into. */
  readonly waitingBytes: number;
  /** Bytes of the chunks that nobody holds. */
  readonly spareBytes: number;
}

export function createChunkPool(): ChunkPool {
  return new Pool();
}

class Pool implements ChunkPool {
  readonly #holders = new Map<Buffer, number>();
  readonly #spare: Buffer[] = [];
  /** The one that has not moved for the longest is the first. */
  readonly #queues = new Set<Waiting>();
  #readers = 0;
  #givesBack = false;

  get waitingBytes(): number {
    return Math.max(0, this.#holders.size - this.#readers) * chunkSize;
  }

  get spareBytes(): number {
    return this.#spare.length * chunkSize;
  }

  take(): Buffer {
    const chunk = this.#spare.pop() ?? Buffer.allocUnsafeSlow(chunkSize);
    this.#holders.set(chunk, 1);
    return chunk;
  }

  takeToWait(queue: Waiting): Buffer | undefined {
    while (this.waitingBytes >= maxWaiting) {
      const [stalest] = this.#queues;
      if (stalest === undefined || stalest === queue) return undefined;
      this.#queues.delete(stalest);
      stalest.giveUp();
    }
    this.#queues.add(queue);
    return this.take();
  }

  moved(queue: Waiting, isEmpty: boolean): void {
    if (this.#queues.delete(queue) && !isEmpty) this.#queues.add(queue);
  }

  reading(change: 1 | -1): void {
    this.#readers += change;
  }

  hold(chunk: Buffer): void {
    const count = this.#holders.get(chunk);
    if (count !== undefined) this.#holders.set(chunk, count + 1);
  }

  letGo(chunk: Buffer): void {
    const count = this.#holders.get(chunk);
    if (count === undefined) return;
    if (count > 1) this.#holders.set(chunk, count - 1);
    else {
      this.#holders.delete(chunk);
      if (this.#spare.length < maxWaitingChunks) this.#spare.push(chunk);
      if (!this.#givesBack) this.#giveBackLater();
    }
  }

  isShared(chunk: Buffer): boolean {
    return (this.#holders.get(chunk) ?? 0) > 1;
  }

  /** Half of it at a time: who is busy needs it again soon. */
  #giveBackLater(): void {
    this.#givesBack = this.#spare.length > idleSpare;
    if (!this.#givesBack) return;
    const giveBack = (): void => {
      this.#spare.length = Math.min(this.#spare.length, Math.max(idleSpare, Math.floor(this.#spare.length / 2)));
      this.#giveBackLater();
    };
    setTimeout(giveBack, idleAfterMs).unref();
  }
}
