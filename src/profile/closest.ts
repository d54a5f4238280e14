/**
 * "Did you mean": the known word that is nearest to what was written.
 */

/** The nearest of `known`, or undefined if none is near enough to be what was meant. `spellings`: what else a word is known as. */
export function closestOf(
  written: string,
  known: readonly string[],
  spellings: (word: string) => readonly string[] = () => [],
): string | undefined {
  if (written.length > 40) return undefined;
  const word = written.toLowerCase();
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    for (const spelling of [name, ...spellings(name)]) {
      const distance = editDistance(word, spelling.toLowerCase());
      const near = distance <= Math.floor(Math.max(word.length, spelling.length) / 3);
      if (near && (best === undefined || distance < best.distance)) best = { name, distance };
    }
  }
  return best?.name;
}

/** Insertions, deletions, replacements and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const choices = [at(row, j) + 1, at(next, j - 1) + 1, at(row, j - 1) + same];
      next.push(Math.min(...choices, ...(swapped ? [at(before, j - 2) + 1] : [])));
    }
    before = row;
    row = next;
  }
  return at(row, b.length);
}

const at = (row: readonly number[], index: number): number => row[index] ?? 0;
