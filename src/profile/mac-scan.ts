/**
 * The MACs that the text of a profile names, without parsing it: a quick look over all other profiles, valid or not. It may find one MAC too
 * many (in a block of text), which costs nothing but an address that is not handed out.
 */
import { parseMac, type Mac } from '../names.ts';

export interface FoundMac {
  readonly mac: Mac;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

const macValue =
  /(?:^|[\s{,?])(["']?)mac\1[ \t]*:\s*(["']?)([0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5})\2(?=$|[\s,}\]#])/gm;

export function findMacs(text: string): FoundMac[] {
  const bare = withoutComments(text);
  const lines = lineStarts(bare);
  return [...bare.matchAll(macValue)].flatMap((match) => {
    const written = match[3] ?? '';
    const parsed = parseMac(written);
    if ('fault' in parsed) return [];
    const offset = match.index + match[0].lastIndexOf(written);
    const line = lines.findLastIndex((start) => start <= offset);
    return [{ mac: parsed.mac, line: line + 1, column: offset - (lines[line] ?? 0) + 1 }];
  });
}

/** Comments become blanks, so that offsets stay. A `#` begins one at the start of a line or after a blank, outside of quotes. */
function withoutComments(text: string): string {
  return text.replace(/^.*$/gm, (line) => {
    const start = commentStart(line);
    return start < 0 ? line : line.slice(0, start) + ' '.repeat(line.length - start);
  });
}

function commentStart(line: string): number {
  let quote = '';
  for (let index = line.indexOf('#') < 0 ? line.length : 0; index < line.length; index++) {
    const character = line.charAt(index);
    if (quote !== '') {
      if (character === '\\' && quote === '"') index++;
      else if (character === quote) quote = '';
    } else if (/["']/.test(character) && /[\s,[{:]|^$/.test(line.charAt(index - 1))) quote = character;
    else if (character === '#' && /\s|^$/.test(line.charAt(index - 1))) return index;
  }
  return -1;
}

function lineStarts(text: string): number[] {
  return [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
}
