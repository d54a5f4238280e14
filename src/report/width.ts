/**
 * How many columns of a terminal a text takes. Latin text is counted at once; only other text pays for the segmenter (8 ms when it is first made).
 * Also stands in for the `string-width` package in the bundle.
 */

let segmenter: Intl.Segmenter | undefined;

// oxlint-disable-next-line no-control-regex -- escape sequences are what it looks for
const escapeSequence = /\u001b(?:\[[0-9:;<=>?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

/** The text without the terminal's escape sequences. */
export function stripEscapes(text: string): string {
  return text.includes('\u001b') ? text.replace(escapeSequence, '') : text;
}

/** Latin, and the dashes, quotes, ellipses and arrows of our own texts: one column a character. */
const narrow = /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2030-\u203b\u2190-\u21ff]*$/;

export function widthOf(text: string): number {
  const plain = stripEscapes(text);
  if (narrow.test(plain)) return plain.length;
  segmenter ??= new Intl.Segmenter();
  let width = 0;
  for (const { segment } of segmenter.segment(plain)) width += clusterWidth(segment);
  return width;
}

function clusterWidth(cluster: string): number {
  // oxlint-disable-next-line no-control-regex -- control characters take no column
  if (/^(?:[\u0000-\u001f\u007f-\u009f]|\p{Mark}|\p{Default_Ignorable_Code_Point})+$/u.test(cluster)) return 0;
  if (/\p{Emoji_Presentation}|\ufe0f/u.test(cluster)) return 2;
  return isWide(cluster.codePointAt(0) ?? 0) ? 2 : 1;
}

/** Blocks of East Asian wide and fullwidth characters: https://www.unicode.org/reports/tr11/ */
const wideBlocks: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x3fffd],
];

function isWide(codePoint: number): boolean {
  return wideBlocks.some(([first, last]) => codePoint >= first && codePoint <= last);
}
