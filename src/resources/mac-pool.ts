/** Where new MAC addresses come from: QEMU's prefix and a random rest, never the range that QEMU itself hands out. */
import { customAlphabet } from 'nanoid';
import type { Mac } from '../names.ts';

export interface MacPool {
  /** A candidate; it may be taken. */
  readonly draw: () => Mac;
  /** Every address of a pool that is small enough to be tried one by one. */
  readonly all?: readonly Mac[];
}

const randomSuffix = customAlphabet('0123456789abcdef', 6);
/** QEMU gives these to NICs without a `mac`, starting anew in every process: 52:54:00:12:34:56 and on. */
const qemuDefaults = /^52:54:00:12:34:(5[6-9a-f]|[6-9a-f][0-9a-f])$/;

export function isQemuDefault(mac: string): boolean {
  return qemuDefaults.test(mac);
}

export const defaultPool: MacPool = {
  draw: () => `52:54:00:${randomSuffix().replace(/(..)(?=.)/g, '$1:')}` as Mac,
};

/** With 16 million addresses even a registry of thousands is hit once in thousands of draws; so many misses mean that the pool is used up. */
const maxDraws = 256;

/** Candidates in the order in which to try them; it ends. */
export function* candidates(pool: MacPool): Generator<Mac> {
  for (let drawn = 0; drawn < maxDraws; drawn++) {
    const mac = pool.draw();
    if (!isQemuDefault(mac)) yield mac;
  }
  for (const mac of pool.all ?? []) if (!isQemuDefault(mac)) yield mac;
}
