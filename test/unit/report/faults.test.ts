import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fault } from '../../../src/errors.ts';
import { renderFaults } from '../../../src/report/faults.ts';
import { faultsOf } from '../profile/profile-text.ts';
import { anyText } from '../any-text.ts';

const fault: Fault = {
  file: '/srv/machines/web1.yaml',
  line: 12,
  column: 9,
  path: 'nics[0].mac',
  message: 'no MAC',
  source: '    mac: 12:34',
  width: 5,
};

const plain = (part: Partial<Fault>): string[] => renderFaults([{ ...fault, ...part }], { colour: false }).split('\n');

/** The text over the carets. */
function marked(lines: readonly string[]): string {
  const [, source = '', carets = ''] = lines;
  return source.slice(carets.indexOf('^'), carets.lastIndexOf('^') + 1);
}

describe('renderFaults', () => {
  test('says where and what, and points at it', () => {
    expect(plain({ column: 10 })).toEqual([
      '/srv/machines/web1.yaml:12:10 nics[0].mac: no MAC',
      '      mac: 12:34',
      '           ^^^^^',
    ]);
  });

  test('names a file of the working directory as one would', () => {
    expect(renderFaults([fault], { colour: false, cwd: '/srv' })).toMatch(/^machines\/web1\.yaml:12:9 nics/);
    expect(renderFaults([fault], { colour: false, cwd: '/srv/other' })).toMatch(/^\/srv\/machines\/web1\.yaml/);
  });

  test('has one block for each fault', () => {
    expect(renderFaults([fault, fault], { colour: false }).split('\n')).toHaveLength(6);
    expect(renderFaults([], { colour: false })).toBe('');
  });

  test('does without a path, and without a source line', () => {
    const { source: _source, ...rest } = fault;
    expect(renderFaults([{ ...rest, path: '' }], { colour: false })).toBe('/srv/machines/web1.yaml:12:9: no MAC');
    expect(plain({ source: '   ' })).toHaveLength(1);
  });

  test('colours the place and the caret, and nothing when not asked', () => {
    const text = renderFaults([fault], { colour: true });
    expect(text).toContain('\u001b[1m/srv/machines/web1.yaml:12:9\u001b[0m');
    expect(text).toContain('\u001b[31m^^^^^\u001b[0m');
    expect(renderFaults([fault], { colour: false })).not.toContain('\u001b');
  });

  test('counts tabs by what they show', () => {
    expect(plain({ source: '\tmac:\t12', column: 7, width: 2 }).slice(1)).toEqual([
      '          mac:    12',
      '                  ^^',
    ]);
  });

  test('counts wide and combining characters by what they show', () => {
    expect(plain({ source: 'a: "日本" x', column: 9, width: 1 })[2]).toBe(`  ${' '.repeat(10)}^`);
    expect(plain({ source: 'a: "日本"', column: 4, width: 4 })[2]).toBe(`  ${' '.repeat(3)}${'^'.repeat(6)}`);
    expect(plain({ source: 'a: "e\u0301" x', column: 9, width: 1 })[2]).toBe(`  ${' '.repeat(7)}^`);
    expect(plain({ source: 'a: "😀" x', column: 9, width: 1 })[2]).toBe(`  ${' '.repeat(8)}^`);
  });

  test('shows control characters and does not send them', () => {
    const lines = plain({
      source: 'a: \u001b[31mred\u202e',
      column: 4,
      width: 8,
      message: 'no \u001b]0;x\u0007',
      path: 'a\u009bb',
      file: '/x\ny',
    });
    expect(lines).toHaveLength(3);
    // oxlint-disable-next-line no-control-regex -- it is what must not be there
    expect(lines.join('')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
    expect(marked(lines)).toMatch(/^\\e\[31mred$/);
  });

  test.each([
    ['at its start', 1],
    ['in its middle', 5000],
    ['near its end', 9995],
  ])('cuts a long line around a caret %s', (_, column) => {
    const source = `${'a'.repeat(column - 1)}BAD${'c'.repeat(10_000 - column)}`;
    const lines = plain({ source, column, width: 3 });
    expect(marked(lines)).toBe('BAD');
    expect(lines[1]?.length).toBeLessThanOrEqual(164);
  });

  test('cuts what is marked when that alone is longer than a line', () => {
    const lines = plain({ source: 'x'.repeat(100_000), column: 100, width: 99_000 });
    expect(lines[1]?.length).toBeLessThanOrEqual(164);
    expect(lines[2]?.length).toBeLessThanOrEqual(164);
    expect(lines[2]).toContain('^^^');
  });

  test('keeps the caret under the line for any line and place', () => {
    const source = anyText({ minLength: 1, maxLength: 400 }).filter(
      (text) => !text.includes('\n') && text.trim() !== '',
    );
    fc.assert(
      fc.property(source, fc.nat(), fc.nat(500), (text, place, width) => {
        const lines = plain({ source: text, column: (place % (text.length + 1)) + 1, width: width + 1 });
        expect(lines).toHaveLength(3);
        expect(lines[2]).toMatch(/^ *\^+$/);
        // oxlint-disable-next-line no-control-regex -- it is what must not be there
        expect(lines[1]).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
  });

  test('shows the faults of a real profile', () => {
    const text = 'memory: lots\nnics:\n  - kind: user\n    hostfw: ["2222:22"]\n';
    expect(renderFaults(faultsOf(text), { colour: false, cwd: '/srv/machines' })).toBe(`\
web1.yaml:1:9 memory: "lots" is no size: a number of MiB, or with K, M, G or T, such as 512M
  memory: lots
          ^^^^
web1.yaml:4:5 nics[0].hostfw: unknown key "hostfw", did you mean "forwards"?
      hostfw: ["2222:22"]
      ^^^^^^`);
  });
});
