/** Short lines with the time on stderr. What guests can cause is said once for each cause, and never more than some lines a minute. */
import { writeSync } from 'node:fs';

export interface Log {
  say(text: string): void;
  /** Only the first time for this key. */
  once(key: string, text: string): void;
  /** The same thing of several: each is told once, and all that come within a second in one line. */
  together(key: string, name: string, textOf: (names: readonly string[]) => string): void;
}

const maxKeys = 1000;
const maxLinesAMinute = 60;
const maxLineLength = 300;
const togetherMs = 1000;

export interface LogOptions {
  readonly write: (line: string) => void;
  readonly now: () => Date;
}

export function createLog({ write, now }: LogOptions = { write: writeStderr, now: () => new Date() }): Log {
  const said = new Set<string>();
  const gathered = new Map<string, string[]>();
  let minute = 0;
  let lines = 0;
  const say = (text: string): void => {
    const time = now();
    const thisMinute = Math.floor(time.getTime() / 60_000);
    if (thisMinute !== minute) lines = 0;
    minute = thisMinute;
    lines += 1;
    if (lines > maxLinesAMinute) return;
    const said = lines === maxLinesAMinute ? 'too much to tell: silent for the rest of this minute' : text;
    write(`${time.toISOString()} switch: ${printable(said)}\n`);
  };
  const isNew = (key: string): boolean => {
    if (said.has(key)) return false;
    if (said.size >= maxKeys) said.clear();
    said.add(key);
    return true;
  };
  return {
    say,
    once: (key, text) => {
      if (isNew(key)) say(text);
    },
    together: (key, name, textOf) => {
      if (!isNew(`${key} ${name}`)) return;
      const names = gathered.get(key);
      if (names !== undefined) return void names.push(name);
      const first = [name];
      gathered.set(key, first);
      setTimeout(() => {
        gathered.delete(key);
        say(textOf(first));
      }, togetherMs).unref();
    },
  };
}

/** One line, no control characters: names of files and guests go into it. */
const printable = (text: string): string => text.slice(0, maxLineLength).replace(/[^\x20-\x7e]/g, '?');

function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // nobody reads the log, or its disk is full: the guests' network goes on
  }
}
