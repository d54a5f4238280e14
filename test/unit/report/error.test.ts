import { expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { bugOf, errorDocument, renderBug, renderError } from '../../../src/report/error.ts';
import type { Styles } from '../../../src/report/style.ts';

const same = (text: string): string => text;
const styles: Styles = {
  coloured: false,
  heading: same,
  good: same,
  warning: same,
  bad: same,
  faint: same,
  strong: same,
};

test('an error says what, why and what to do', () => {
  const error = new QrunError('host-failed', 'web1: the disk could not be created', {
    causes: ['qemu-img create\nNo space left\n'],
    hint: 'df /var',
  });
  expect(renderError(error, styles)).toBe(
    ['qrun: web1: the disk could not be created', '  qemu-img create', '  No space left', 'hint: df /var', ''].join(
      '\n',
    ),
  );
  expect(errorDocument(error)).toEqual({
    error: {
      code: 'host-failed',
      message: 'web1: the disk could not be created',
      hint: 'df /var',
      causes: ['qemu-img create\nNo space left\n'],
      faults: [],
    },
  });
});

test('a message that begins with the command is not told behind the name again', () => {
  const render = (code: 'usage' | 'in-use', message: string): string =>
    renderError(new QrunError(code, message), styles);
  expect(render('usage', 'qrun stop: NAME is missing')).toBe('qrun: stop: NAME is missing\n');
  expect(render('in-use', 'qrun is running')).toBe('qrun: qrun is running\n'); // a VM of that name
});

test('what a tool or a file says cannot move the cursor', () => {
  const text = renderError(new QrunError('usage', 'bad\u001b[2J', { causes: ['\u0007bell'], hint: 'a\rb' }), styles);
  expect(text).toBe('qrun: bad\\e[2J\n  \\x07bell\nhint: a\\rb\n');
});

test('faults come with their place', () => {
  const fault = {
    file: 'web1.yaml',
    line: 2,
    column: 9,
    path: 'nics[0].mac',
    message: 'no MAC',
    source: '  mac: x',
    width: 1,
  };
  const error = new QrunError('invalid-profile', 'web1.yaml: one fault', { faults: [fault] });
  expect(renderError(error, styles)).toContain('web1.yaml:2:9 nics[0].mac: no MAC');
  const { source: _source, width: _width, ...shown } = fault;
  expect(errorDocument(error).error.faults).toEqual([shown]);
});

test('a bug is one line and a way to tell of it; the stack is for who asks', () => {
  const bug = new TypeError('x is not a function');
  expect(renderBug(bug, { stack: false, styles }).split('\n')).toHaveLength(3);
  expect(renderBug(bug, { stack: false, styles })).toContain('qrun: bug: TypeError: x is not a function\nhint: ');
  expect(renderBug(bug, { stack: true, styles })).toContain('error.test.ts');
  expect(renderBug('thrown text', { stack: true, styles })).toContain('thrown: thrown text');
  expect(errorDocument(bugOf(bug)).error.code).toBe('bug');
});
