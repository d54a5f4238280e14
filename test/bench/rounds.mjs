/**
 * Sides that are compared take turns, A B A B …, so that a machine that slows down slows all of them; figures are medians over the rounds of what
 * one round gave.
 */

/**
 * @param {Record<string, () => number | Promise<number>>} sides each does its thing once and gives its milliseconds
 * @param {{rounds: number, warmUps?: number, checkTime: () => void}} options
 * @returns {Promise<Record<string, number[]>>} milliseconds by side, in the order of the rounds
 */
export async function takeTurns(sides, { rounds, warmUps = 2, checkTime }) {
  const times = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
  for (let round = -warmUps; round < rounds; round++) {
    for (const [name, run] of Object.entries(sides)) {
      checkTime();
      const ms = await run();
      if (round >= 0) times[name].push(ms);
    }
  }
  return times;
}

/** The value below which the part `q` of the values lies; between two values if need be. */
export function quantile(values, q) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low] + ((sorted[low + 1] ?? sorted[low]) - sorted[low]) * (at - low);
}

export const median = (values) => quantile(values, 0.5);

/** One value a round. */
export const perRound = (times, combine) =>
  Object.values(times)[0].map((_, round) =>
    combine(Object.fromEntries(Object.entries(times).map(([name, values]) => [name, values[round]]))),
  );
