/** A clock that runs ahead, for what waits for something in vain: the wait is as long as ever, and the test is not. */
import { vi } from 'vitest';

const stepMs = 100;

/** What takes its time by itself, such as an answer on a socket, has it: between two steps of the clock there is a turn of everything else. */
export async function hurried<T>(act: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const clock = setInterval(() => vi.advanceTimersByTime(stepMs), 2);
  try {
    return await act();
  } finally {
    clearInterval(clock);
    vi.useRealTimers();
  }
}
