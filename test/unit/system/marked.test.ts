import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { endMarked, type Marked } from '../../../src/system/marked.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Nobody's: there are no such pids. */
const slow: Marked = {
  pid: 2 ** 30,
  parent: 1,
  startTime: 1,
  state: 'R',
  command: 'slow',
  argv: ['slow'],
  uid: 0,
  variables: {},
};

/** What is said to be left when it lives for so long. */
async function leftAfter(lifeMs: number): Promise<readonly Marked[]> {
  const end = performance.now() + lifeMs;
  const left = endMarked(() => (performance.now() < end ? [slow] : []), { isKeeper: () => false, graceMs: 1000 });
  await vi.advanceTimersByTimeAsync(60_000);
  return await left;
}

test('what a busy machine lets end only some seconds after SIGKILL is not left behind', async () => {
  expect(await leftAfter(10_000)).toEqual([]);
});

test('what does not end at all is', async () => {
  expect(await leftAfter(Number.POSITIVE_INFINITY)).toEqual([slow]);
});
