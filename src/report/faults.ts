/**
 * Faults of a file as a person reads them: where, what, the line itself, and a caret under the place.
 */
import path from 'node:path';
import type { Fault } from '../errors.ts';
import { visible } from './visible.ts';
import { widthOf } from './width.ts';

export interface RenderFaultsOptions {
  readonly colour: boolean;
  /** Files under this directory are named relative to it. */
  readonly cwd?: string;
}

const maxColumns = 160;
const tabWidth = 8;

/** One block for each fault, without a newline at the end. */
export function renderFaults(faults: readonly Fault[], options: RenderFaultsOptions): string {
  return faults.map((fault) => renderFault(fault, options)).join('\n');
}

function renderFault(fault: Fault, { colour, cwd }: RenderFaultsOptions): string {
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const place = `${visible(shortened(fault.file, cwd))}:${fault.line}:${fault.column}`;
  const subject = fault.path === '' ? '' : ` ${visible(fault.path)}`;
  const head = `${paint(1, place)}${subject}: ${visible(fault.message)}`;
  if (fault.source === undefined || fault.source.trim() === '') return head;
  const { text, before, width } = excerpt(fault.source, fault.column, fault.width ?? 1);
  return `${head}\n  ${text}\n  ${' '.repeat(before)}${paint(31, '^'.repeat(width))}`;
}

function shortened(file: string, cwd: string | undefined): string {
  if (cwd === undefined) return file;
  const relative = path.relative(cwd, file);
  return relative === '' || relative.startsWith('..') || path.isAbsolute(relative) ? file : relative;
}

interface Cell {
  readonly text: string;
  /** Columns of the terminal that it takes. */
  readonly columns: number;
  /** Where it begins in the source, in UTF-16 units. */
  readonly index: number;
}

interface Excerpt {
  readonly text: string;
  /** Columns in front of the caret. */
  readonly before: number;
  /** Carets. */
  readonly width: number;
}

/** The line as it can be shown, cut around the caret when it is longer than a screen is wide. */
function excerpt(source: string, column: number, width: number): Excerpt {
  const cells = cellsOf(source, column, width);
  const marked = (cell: Cell): boolean => cell.index >= column - 1 && cell.index < column - 1 + width;
  const first = cells.findIndex((cell) => cell.index >= column - 1);
  const caret = first < 0 ? cells.length : first;
  const from = columnsOf(cells) <= maxColumns ? 0 : startOf(cells, caret);
  const until = endOf(cells, from);
  const shown = cells.slice(from, until);
  const [left, right] = [from > 0 ? '…' : '', until < cells.length ? '…' : ''];
  return {
    text: `${left}${shown.map(({ text }) => text).join('')}${right}`,
    before: left.length + columnsOf(cells.slice(from, caret)),
    width: Math.max(1, columnsOf(shown.filter(marked))),
  };
}

/** Never more of a line than can be shown: a line may have hundreds of thousands of characters. */
function cellsOf(source: string, column: number, width: number): Cell[] {
  const cells: Cell[] = [];
  const reach = Math.min(source.length, column + Math.min(width, maxColumns) + maxColumns);
  let [index, at] = [Math.max(0, column - 2 * maxColumns), 0];
  // not in the middle of a character of two units
  if (/[\udc00-\udfff]/.test(source.charAt(index)) && index > 0) index--;
  while (index < reach) {
    const character = String.fromCodePoint(source.codePointAt(index) ?? 0);
    const text = character === '\t' ? ' '.repeat(tabWidth - (at % tabWidth)) : visible(character);
    const columns = text === character ? widthOf(character) : text.length;
    cells.push({ text, columns, index });
    at += columns;
    index += character.length;
  }
  return cells;
}

const columnsOf = (cells: readonly Cell[]): number => cells.reduce((sum, { columns }) => sum + columns, 0);

function startOf(cells: readonly Cell[], caret: number): number {
  let from = caret;
  for (let room = Math.floor(maxColumns / 2); from > 0 && room > 0; from--) room -= cells[from - 1]?.columns ?? 0;
  return from;
}

function endOf(cells: readonly Cell[], from: number): number {
  let until = from;
  for (let room = maxColumns - 2; until < cells.length; until++) {
    room -= cells[until]?.columns ?? 0;
    if (room < 0) break;
  }
  return until;
}
