/**
 * One line more, or one line less, in a file that is somebody else's. A line may be several that belong together, one right below the other. Pure; texts
 * are bytes, each as one character (latin1).
 */

/** Blanks around it and between its words do not matter, nor does a line end of another system's. */
export function hasLine(text: string, line: string, above: readonly string[] = []): boolean {
  const there = text.split('\n').slice(0, linesAbove(text, above)).map(wordsOf);
  const wanted = line.split('\n').map(wordsOf);
  return there.some((_, at) => isAt(there, at, wanted));
}

const isAt = (lines: readonly string[], at: number, wanted: readonly string[]): boolean =>
  wanted.every((one, index) => lines[at + index] === one);

/** How many lines stand above the first that begins with one of those words. */
function linesAbove(text: string, words: readonly string[]): number {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => words.includes(wordsOf(line).split(' ')[0] ?? ''));
  return at < 0 ? lines.length : at;
}

const wordsOf = (line: string): string => line.trim().replaceAll(/[ \t]+/g, ' ');

/** What a file had at its end before a line was added. */
export const endOf = (text: string | undefined): 'whole' | 'open-end' | 'absent' =>
  text === undefined ? 'absent' : text === '' || text.endsWith('\n') ? 'whole' : 'open-end';

/** The same text if the line is in it already. */
export function addLine(text: string, line: string, above: readonly string[] = []): string {
  if (hasLine(text, line, above)) return text;
  const lines = text.split('\n');
  const at = linesAbove(text, above);
  if (at < lines.length) return lines.toSpliced(at, 0, line).join('\n');
  return `${text}${endOf(text) === 'open-end' ? '\n' : ''}${line}\n`;
}

/**
 * Takes the last line of that very text out again, of those that stand above certain parts.
 * @param before as `endOf` said before it was added
 * @returns undefined: the file was made for the line, and nothing is left of it
 */
export function removeLine(
  text: string,
  line: string,
  { before, above = [] }: { readonly before: 'whole' | 'open-end' | 'absent'; readonly above?: readonly string[] },
): string | undefined {
  const end = before === 'absent' ? undefined : '';
  const lines = text.split('\n');
  const wanted = line.split('\n');
  const at = lines.slice(0, linesAbove(text, above)).findLastIndex((_, index) => isAt(lines, index, wanted));
  if (at < 0) return text === '' ? end : text;
  const isLast = at + wanted.length === lines.length - 1 && lines.at(-1) === '';
  const left = lines.toSpliced(at, wanted.length).join('\n');
  if (left === '') return end;
  // the line end that the line before it was given for its sake
  return before === 'open-end' && isLast ? left.replace(/\n$/, '') : left;
}
