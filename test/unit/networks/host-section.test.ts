import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NetworkName } from '../../../src/network/network.ts';
import { inHostSection } from '../../../src/networks/host-section.ts';
import { tryLockFile } from '../../../src/system/flock.ts';
import { createSystem } from '../../../src/system/real.ts';

let place: string;
beforeEach(() => void (place = mkdtempSync(path.join(tmpdir(), 'qrun-section-'))));
afterEach(() => rmSync(place, { recursive: true }));

const context = () => ({
  system: createSystem(),
  places: {
    config: [],
    examples: place,
    state: path.join(place, 'state'),
    runtime: place,
    cache: place,
    host: place,
  },
});
const lock = (): string => path.join(place, 'state/locks/host-networks');
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test('those of one process share the lock, look one after the other, and see what is about to come', async () => {
  const notes: string[] = [];
  const work = async (name: string): Promise<void> =>
    await inHostSection(context(), async ({ alone, pending }) => {
      await alone(async () => {
        notes.push(`${name} sees ${[...pending.keys()].join(' ')}`);
        await turn();
        pending.set(name as NetworkName, {
          name: name as NetworkName,
          file: '',
          subnets: [],
          isUp: true,
          forwards: [],
        });
        notes.push(`${name} looked`);
      });
      // held by all of them
      expect(tryLockFile(lock())).toBeUndefined();
      await turn();
      pending.delete(name as NetworkName);
    });
  await Promise.all(['a', 'b'].map(work));
  expect(notes).toEqual(['a sees ', 'a looked', 'b sees a', 'b looked']);
  expect(tryLockFile(lock())).toBeDefined();
});

test('one that fails keeps no other from its turn, nor the lock', async () => {
  const failing = inHostSection(context(), async ({ alone }) => await alone(() => Promise.reject(new Error('no'))));
  const other = inHostSection(context(), async ({ alone }) => await alone(async () => await Promise.resolve('yes')));
  await expect(failing).rejects.toThrow('no');
  expect(await other).toBe('yes');
  expect(tryLockFile(lock())).toBeDefined();
});
