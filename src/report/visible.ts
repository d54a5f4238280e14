/**
 * Text that somebody else wrote (a guest, a file, a tool) and that is to be shown on a terminal: control characters are made visible, so that it
 * can neither move the cursor nor pretend to be another line.
 */

// C0 and C1 controls, DEL, line separators, and the marks that turn the direction of writing
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const invisible = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;
const named: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\u001b': '\\e' };

const escape = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  return named[character] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`);
};

/** In one line: line ends are shown as `\n`. */
export function visible(text: string): string {
  return text.replace(invisible, escape);
}

/** Line by line: line ends and tabs stay, everything else is made visible. */
export function visibleLines(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(invisible, (character) => {
    return character === '\n' || character === '\t' ? character : escape(character);
  });
}
