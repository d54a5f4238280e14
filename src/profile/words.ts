/**
 * How values of a profile are quoted in messages: short, and with nothing in them that a terminal would obey.
 */
export function truncated(text: string, most = 60, quoted = true): string {
  const short = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  const visible = JSON.stringify(short).replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, escaped);
  return quoted ? visible : visible.slice(1, -1);
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** `nics[0].mac`; keys that are no plain words in quotes: `["a b"]`. */
export function renderPath(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) return `${text}[${truncated(step)}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

/** What a value is, in the words of messages. */
export function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value === 'string') return `the text ${truncated(value, 40)}`;
  if (typeof value === 'number') return `the number ${value}`;
  return typeof value === 'boolean' ? `the truth value ${value}` : 'nothing';
}

export function listed(words: readonly string[], joint = 'or'): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} ${joint} ${words.at(-1)}`;
}
