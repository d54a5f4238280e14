import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renderTable } from '../../../src/report/table.ts';
import { visible, visibleLines } from '../../../src/report/visible.ts';
import { stripEscapes, widthOf } from '../../../src/report/width.ts';
import { wrapWords } from '../../../src/report/wrap.ts';
import { anyText } from '../any-text.ts';

describe('width', () => {
  test.each([
    ['', 0],
    ['web1', 4],
    ['NAME…', 5],
    ['a→b', 3],
    ['\u001b[1mbold\u001b[22m', 4],
    ['\u001b]8;;http://x\u0007link\u001b]8;;\u0007', 4],
    ['日本', 4],
    ['é', 1],
    ['e\u0301', 1],
    ['한글', 4],
    ['👩‍👩‍👧', 2],
    ['a\u0000b', 2],
    ['x\u200by', 2],
  ])('of %j is %i', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  test('of ASCII is its length, and escapes count nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), (text) => {
        expect(widthOf(text)).toBe(text.length);
        expect(stripEscapes(`\u001b[31m${text}\u001b[0m`)).toBe(text);
      }),
    );
  });
});

describe('visible', () => {
  test.each([
    ['plain text, ünï, 日本', 'plain text, ünï, 日本'],
    ['\u001b[2J\u001b]0;title\u0007', '\\e[2J\\e]0;title\\x07'],
    ['two\nlines\r', 'two\\nlines\\r'],
    ['\u009b31m', '\\x9b31m'],
    ['abc\u202excod.exe', 'abc\\u202excod.exe'],
  ])('%j is shown as %s', (text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  test('lines stay lines, and nothing else moves the cursor', () => {
    expect(visibleLines('a\r\nb\tc\n\u001b[Ad\re')).toBe('a\nb\tc\n\\e[Ad\\re');
    fc.assert(
      fc.property(anyText(), (text) => {
        // oxlint-disable-next-line no-control-regex -- they are what must not be there
        expect(visibleLines(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      }),
    );
  });
});

describe('table', () => {
  interface Row {
    readonly name: string;
    readonly pid?: number;
  }
  const columns = [
    { title: 'NAME', value: ({ name }: Row) => name },
    { title: 'PID', value: ({ pid }: Row) => pid, align: 'right' },
    { title: 'WHAT', value: ({ name }: Row) => name.repeat(2) },
  ] as const;

  test('columns line up, by what a terminal shows', () => {
    const rows = [{ name: 'web1', pid: 7 }, { name: '日本', pid: 12345 }, { name: 'a' }];
    expect(renderTable<Row>(rows, columns)).toBe(
      ['NAME    PID  WHAT', 'web1      7  web1web1', '日本  12345  日本日本', 'a         -  aa', ''].join('\n'),
    );
  });

  test('a value cannot break out of its line', () => {
    const [, line, ...rest] = renderTable<Row>([{ name: 'a\nb\u001b[2J' }], columns).split('\n');
    expect(line).toBe('a\\nb\\e[2J    -  a\\nb\\e[2Ja\\nb\\e[2J');
    expect(rest).toEqual(['']);
  });
});

test('wrapped text has the same words, and no line that could be shorter', () => {
  expect(wrapWords('one two three', 7)).toBe('one two\nthree');
  expect(wrapWords('unbreakable a', 4)).toBe('unbreakable\na');
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,9}$/), { minLength: 1 }),
      fc.integer({ min: 9, max: 30 }),
      (words, columns) => {
        const lines = wrapWords(words.join(' '), columns).split('\n');
        expect(lines.join(' ')).toBe(words.join(' '));
        for (const [index, line] of lines.entries()) {
          expect(line.length).toBeLessThanOrEqual(columns);
          const [next] = (lines[index + 1] ?? '').split(' ');
          if (index + 1 < lines.length) expect(`${line} ${next}`.length).toBeGreaterThan(columns);
        }
      },
    ),
  );
});
