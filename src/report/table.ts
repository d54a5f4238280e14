/** A table for people: columns two blanks apart, the last one not padded, headings in capitals. */
import { visible } from './visible.ts';
import { widthOf } from './width.ts';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | undefined;
  readonly align?: 'left' | 'right';
}

export interface TableStyle {
  readonly heading: (text: string) => string;
}

const plainStyle: TableStyle = { heading: (text) => text };

/** Lines, each with its end; control characters in values are made visible. An empty value is `-`. */
export function renderTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  style: TableStyle = plainStyle,
): string {
  const cells = rows.map((row) => columns.map((column) => cellOf(column.value(row))));
  const widths = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...cells.map((line) => widthOf(line[index] ?? ''))),
  );
  const lay = (line: readonly string[]): string =>
    line
      .map((cell, index) => {
        const align = columns[index]?.align ?? (index === line.length - 1 ? 'none' : 'left');
        return pad(cell, widths[index] ?? 0, align);
      })
      .join('  ');
  const heading = style.heading(lay(columns.map(({ title }) => title)));
  return [heading, ...cells.map(lay)].map((line) => `${line}\n`).join('');
}

function cellOf(value: string | number | undefined): string {
  const text = value === undefined ? '' : visible(String(value));
  return text === '' ? '-' : text;
}

function pad(text: string, width: number, align: 'left' | 'right' | 'none'): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)));
  if (align === 'right') return blanks + text;
  return align === 'left' ? text + blanks : text;
}
