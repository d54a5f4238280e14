/**
 * Buffers that are read into and written from. A write that the kernel could not take at once goes on using the bytes that it was given, so whoever
 * read them may not read over them: each user of a chunk holds it, and the last one to let go gives it back for the next reader.
 */

/** Holds the longest frame twice, so that a read always finds a good deal of room behind the beginning of a frame. */
export const chunkSize = 128 * 1024;

const maxSpare = 8;

export interface ChunkPool {
  /** A chunk that the caller holds. */
  take(): Buffer;
  /** One more holder; nothing happens for a buffer that is not the pool's. */
  hold(chunk: Buffer): void;
  letGo(chunk: Buffer): void;
  /** Whether somebody holds it besides the one who asks. */
  isShared(chunk: Buffer): boolean;
}

export function createChunkPool(): ChunkPool {
  const holders = new Map<Buffer, number>();
  const spare: Buffer[] = [];
  return {
    take: () => {
      const chunk = spare.pop() ?? Buffer.allocUnsafeSlow(chunkSize);
      holders.set(chunk, 1);
      return chunk;
    },
    hold: (chunk) => {
      const count = holders.get(chunk);
      if (count !== undefined) holders.set(chunk, count + 1);
    },
    letGo: (chunk) => {
      const count = holders.get(chunk);
      if (count === undefined) return;
      if (count > 1) holders.set(chunk, count - 1);
      else {
        holders.delete(chunk);
        if (spare.length < maxSpare) spare.push(chunk);
      }
    },
    isShared: (chunk) => (holders.get(chunk) ?? 0) > 1,
  };
}
