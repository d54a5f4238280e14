/** Only so many at a time; the others wait for their turn. */
export type Limit = <T>(act: () => Promise<T>) => Promise<T>;

export function createLimit(most: number): Limit {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (act) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await act();
    } finally {
      const next = waiting.shift();
      // the place is handed on, not given back: nobody can come in between
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
