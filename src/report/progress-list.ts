/**
 * How several things go side by side: on a terminal a row for each, which changes as it goes; elsewhere, and where the rows would not fit, a line for
 * each piece of news.
 */
import type { Styles } from './style.ts';
import { visible } from './visible.ts';
import { widthOf } from './width.ts';

/** `waiting` is told for the sake of a picture that changes; `failed` too, for the error tells it; the others are news. */
export type Mark = 'waiting' | 'working' | 'done' | 'undone' | 'failed';

export interface ProgressList {
  readonly set: (name: string, mark: Mark, text: string) => void;
  /** Something else is to be written: the rows make room for it. */
  readonly above: (write: () => void) => void;
  /** The rows stay as they are then. May be called again. */
  readonly done: () => void;
}

export interface ProgressListOptions {
  /** Of the rows, in their order. */
  readonly names: readonly string[];
  /** Undefined: nobody looks. */
  readonly terminal: { readonly size: () => TerminalSize; readonly write: (text: string) => void } | undefined;
  readonly styles: Styles;
  readonly note: (line: string) => void;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameMs = 100;

export function startProgressList({ names, terminal, styles, note }: ProgressListOptions): ProgressList {
  if (terminal === undefined || names.length === 0 || names.length >= terminal.size().rows) return linesOf(note);
  const rows = new Map<string, Row>();
  const nameColumns = Math.max(...names.map(widthOf));
  let drawn = 0;
  let frame = 0;
  const clear = (): void => {
    if (drawn > 0) terminal.write(`\r\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  const draw = (spinner = frames[frame++ % frames.length] ?? ''): void => {
    const { columns } = terminal.size();
    const lines = names.flatMap((name) => {
      const row = rows.get(name);
      if (row === undefined) return [];
      const line = `${visible(name)}${' '.repeat(nameColumns - widthOf(name))}  ${visible(row.text)}`;
      return [`${glyphOf(row.mark, spinner, styles)} ${cut(line, columns - 3)}\u001b[K\n`];
    });
    const back = drawn > 0 ? `\r\u001b[${drawn}A` : '';
    drawn = lines.length;
    terminal.write(`${back}${lines.join('')}`);
  };
  const timer = setInterval(() => draw(), frameMs);
  timer.unref();
  let over = false;
  return {
    set: (name, mark, text) => void rows.set(name, { mark, text }),
    above: (write) => {
      clear();
      write();
      if (!over) draw();
    },
    done: () => {
      // nothing turns any more, whatever it waited for
      if (!over) draw('–');
      over = true;
      drawn = 0;
      clearInterval(timer);
    },
  };
}

interface Row {
  readonly mark: Mark;
  readonly text: string;
}

function linesOf(note: (line: string) => void): ProgressList {
  return {
    set: (name, mark, text) => {
      if (mark !== 'waiting' && mark !== 'failed') note(`${name} ${text}`);
    },
    above: (write) => write(),
    done: () => {},
  };
}

function glyphOf(mark: Mark, spinner: string, styles: Styles): string {
  if (mark === 'done') return styles.good('✓');
  if (mark === 'undone') return styles.faint('–');
  return mark === 'failed' ? styles.bad('✗') : styles.faint(spinner);
}

function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  const characters = Array.from(text);
  while (characters.length > 0 && widthOf(characters.join('')) > columns - 1) characters.pop();
  return `${characters.join('')}…`;
}
