/** Texts of the picture, with the room that they take. All of it is set in one width, so that columns tell the pixels. */
import { visible } from '../report/visible.ts';
import { widthOf } from '../report/width.ts';
import type { MapNetwork } from './map-document.ts';
import { detailsOf, forwardWords, titleOf } from './words.ts';

/** Pixels of a column at the size of text and of small text; no usual monospaced font is wider than 0.61 of its size. */
const columnWidth = 13 * 0.61;
const smallColumnWidth = 11 * 0.61;
export const lineHeight = 16;
export const smallLineHeight = 14;

/** One line of text in the picture, already made visible and cut. */
export interface Line {
  readonly text: string;
  readonly small: boolean;
  /** The whole of it, where it was cut. */
  readonly whole?: string;
}

export interface Label {
  readonly lines: readonly Line[];
  readonly width: number;
  /** Of the first line, above the bar. */
  readonly above: number;
  /** Of the others, below it. */
  readonly below: number;
}

const maxColumns = 38;
const maxForwards = 6;

export function labelsOf(of: MapNetwork | readonly [string]): Label {
  return 'kind' in of ? labelOf(titleOf(of), [...detailLines(of), ...forwardLines(of)]) : labelOf(of[0], []);
}

function labelOf(title: string, more: readonly string[]): Label {
  const lines = [lineOf(title, { small: false }), ...more.map((text) => lineOf(text, { small: true }))];
  return {
    lines,
    width: Math.ceil(Math.max(...lines.map(widthOfLine))),
    above: lineHeight + 4,
    below: more.length === 0 ? 4 : more.length * smallLineHeight + 6,
  };
}

const detailLines = (network: MapNetwork): string[] => {
  const details = detailsOf(network);
  return details.length === 0 ? [] : [details.join(' · ')];
};

function forwardLines({ forwards }: MapNetwork): string[] {
  return shortened(
    forwards.map((forward) => forwardWords(forward, '→')),
    maxForwards,
  );
}

/** The first of them, and how many more there are. */
export function shortened(texts: readonly string[], most: number): string[] {
  return texts.length <= most ? [...texts] : [...texts.slice(0, most - 1), `… ${texts.length - most + 1} more`];
}

/** Cut in its middle: both ends of a path or a name tell more than the middle. */
export function lineOf(
  text: string,
  { small, columns = maxColumns }: { readonly small: boolean; readonly columns?: number },
): Line {
  const shown = visible(text);
  const cut = cutMiddle(shown, columns);
  return { text: cut, small, ...(cut !== shown && { whole: shown }) };
}

export const widthOfLine = ({ text, small }: Line): number => widthOf(text) * (small ? smallColumnWidth : columnWidth);

function cutMiddle(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  const characters = Array.from(text);
  const head = takeColumns(characters, Math.floor((columns - 1) / 2));
  const tail = takeColumns(characters.toReversed(), Math.ceil((columns - 1) / 2)).toReversed();
  return `${head.join('')}…${tail.join('')}`;
}

function takeColumns(characters: readonly string[], columns: number): string[] {
  const taken: string[] = [];
  let width = 0;
  for (const character of characters) {
    width += widthOf(character);
    if (width > columns) break;
    taken.push(character);
  }
  return taken;
}
