/** Text in lines of at most so many columns, broken between words. Also stands in for the `wrap-ansi` package in the bundle. */
import { widthOf } from './width.ts';

export function wrapWords(text: string, columns: number): string {
  return text
    .split('\n')
    .map((line) => wrapLine(line, columns).join('\n'))
    .join('\n');
}

/** A word that is wider than a line stands alone. */
function wrapLine(line: string, columns: number): readonly string[] {
  if (widthOf(line) <= columns) return [line];
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(' ')) {
    const longer = current === '' ? word : `${current} ${word}`;
    if (current !== '' && widthOf(longer) > columns) {
      lines.push(current);
      current = word;
    } else {
      current = longer;
    }
  }
  return [...lines, current];
}
