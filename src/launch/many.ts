/** The same for several VMs: side by side, each error told, the highest exit status counts. */
import { exitStatusOf } from '../errors.ts';
import { hostFailureOf } from '../system/failure.ts';

/** More at once would only wait for one another on the processors. */
const atOnce = 8;

/** @param tell is given each error as it comes @returns the highest exit status */
export async function forEachVm<T>(
  names: readonly T[],
  act: (name: T) => Promise<number>,
  tell: (error: unknown) => void,
): Promise<number> {
  let highest = 0;
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < names.length; index = next++) {
      const status = await one(names[index] as T, act, tell);
      highest = Math.max(highest, status);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, names.length) }, work));
  return highest;
}

async function one<T>(name: T, act: (name: T) => Promise<number>, tell: (error: unknown) => void): Promise<number> {
  try {
    return await act(name);
  } catch (caught) {
    const error = hostFailureOf(caught);
    tell(error);
    return exitStatusOf(error);
  }
}
