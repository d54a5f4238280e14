import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startProgressList } from '../../../src/report/progress-list.ts';
import { stylesFor } from '../../../src/report/style.ts';

const styles = stylesFor(2, { NO_COLOR: '1' });

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What a terminal shows, of the few things that are written to it. */
function createScreen(size = { columns: 40, rows: 24 }) {
  let text = '';
  return {
    lines: () => text.split('\n').slice(0, -1),
    terminal: {
      size: () => size,
      write: (written: string) => {
        // oxlint-disable-next-line no-control-regex -- escape sequences are what it looks for
        const back = /^\r\u001b\[(\d+)A(?:\u001b\[J)?/.exec(written);
        const kept =
          back === null
            ? text
            : text
                .split('\n')
                .slice(0, -1 - Number(back[1]))
                .map((line) => `${line}\n`)
                .join('');
        text = kept + written.slice(back?.[0].length ?? 0).replaceAll('\u001b[K', '');
      },
    },
  };
}

describe('rows on a terminal', () => {
  test('change where they stand, in their order, and stay at the end', () => {
    const screen = createScreen();
    const list = startProgressList({ names: ['db', 'web1'], terminal: screen.terminal, styles, note: () => {} });
    list.set('web1', 'waiting', 'comes after db');
    vi.advanceTimersByTime(100);
    expect(screen.lines()).toEqual([expect.stringMatching(/^. web1 {2}comes after db$/)]);
    list.set('db', 'done', 'runs, pid 12');
    vi.advanceTimersByTime(100);
    expect(screen.lines()).toEqual(['✓ db    runs, pid 12', expect.stringMatching(/^. web1 {2}comes after db$/)]);
    list.set('web1', 'failed', 'broke');
    list.set('db', 'undone', 'ended again');
    list.done();
    list.done();
    expect(screen.lines()).toEqual(['– db    ended again', '✗ web1  broke']);
    vi.advanceTimersByTime(1000);
    expect(screen.lines()).toHaveLength(2);
  });

  test('of what never came stand still at the end', () => {
    const screen = createScreen();
    const list = startProgressList({ names: ['web1'], terminal: screen.terminal, styles, note: () => {} });
    list.set('web1', 'waiting', 'comes after db');
    list.done();
    expect(screen.lines()).toEqual(['– web1  comes after db']);
  });

  test('make room for what else is said', () => {
    const screen = createScreen();
    const list = startProgressList({ names: ['db'], terminal: screen.terminal, styles, note: () => {} });
    list.set('db', 'done', 'runs');
    vi.advanceTimersByTime(200);
    list.above(() => screen.terminal.write('warning: mind\n'));
    expect(screen.lines()).toEqual(['warning: mind', '✓ db  runs']);
    list.done();
    list.above(() => screen.terminal.write('the end\n'));
    expect(screen.lines()).toEqual(['warning: mind', '✓ db  runs', 'the end']);
  });

  test('are cut where the terminal ends, and a guest cannot write to it', () => {
    const screen = createScreen({ columns: 20, rows: 24 });
    const list = startProgressList({ names: ['db'], terminal: screen.terminal, styles, note: () => {} });
    list.set('db', 'done', 'text:\u001b[2J日本語日本語日本語 is there');
    list.done();
    expect(screen.lines()).toEqual(['✓ db  text:\\e[2J日…']);
  });
});

describe('lines elsewhere', () => {
  test.each([
    ['where nobody looks', undefined],
    ['where the rows would not fit', createScreen({ columns: 80, rows: 2 }).terminal],
  ])('%s: only the news', (_where, terminal) => {
    const notes: string[] = [];
    const list = startProgressList({ names: ['db', 'web1'], terminal, styles, note: (line) => notes.push(line) });
    list.set('web1', 'waiting', 'comes after db');
    list.set('db', 'working', 'runs; waiting for end');
    list.above(() => notes.push('a warning'));
    list.set('db', 'done', 'ended');
    list.set('web1', 'failed', 'told by its error');
    list.set('db', 'undone', 'ended again');
    list.done();
    expect(notes).toEqual(['db runs; waiting for end', 'a warning', 'db ended', 'db ended again']);
  });
});
