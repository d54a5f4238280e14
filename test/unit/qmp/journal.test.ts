import { describe, expect, test } from 'vitest';
import { createJournalParser, emptySummary, parseJournal, summarise } from '../../../src/qmp/journal.ts';
import { createLineDecoder } from '../../../src/qmp/line-codec.ts';

const greeting =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "P"}, "capabilities": ["oob"]}}';
const event = (name: string, data = {}): string =>
  JSON.stringify({ timestamp: { seconds: 1700000000, microseconds: 250000 }, event: name, data });
const journal = (...lines: string[]): string => lines.map((line) => `${line}\r\n`).join('');

describe('the parser', () => {
  test('gives greeting, answers, errors and events', () => {
    const error = '{"id": "boot", "error": {"class": "GenericError", "desc": "no"}}';
    const messages = parseJournal(journal(greeting, '{"return": {}, "id": "a"}', error, event('STOP')));
    expect(messages).toEqual([
      { kind: 'greeting', version: { major: 7, minor: 2, micro: 22 }, package: 'P' },
      { kind: 'return', value: {}, id: 'a' },
      { kind: 'error', errorClass: 'GenericError', description: 'no', id: 'boot' },
      { kind: 'event', event: 'STOP', data: {} },
    ]);
  });

  test('skips noise and torn lines, whatever they are', () => {
    const noise = ['', 'hello', '{', '[]', 'null', '{"event": 3}', '{}', '"{"', '{"error": "x"}'];
    expect(parseJournal(journal(...noise, event('RESUME')))).toHaveLength(1);
  });

  test('takes a message in any pieces, also within a character', () => {
    const bytes = Buffer.from(journal(event('X', { name: 'ünï' })));
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const parser = createJournalParser();
      const messages = [...parser.push(bytes.subarray(0, cut)), ...parser.push(bytes.subarray(cut))];
      expect(messages).toMatchObject([{ event: 'X', data: { name: 'ünï' } }]);
    }
  });

  test('drops a line beyond any sense, and goes on after it', () => {
    const parser = createJournalParser();
    expect(parser.push(Buffer.alloc(2 * 1024 * 1024, 'x'))).toEqual([]);
    expect(parser.push(Buffer.from(`x\n${event('STOP')}\n`))).toHaveLength(1);
  });
});

test('a line decoder that may not drop throws at its bound', () => {
  const decoder = createLineDecoder({ maxLineBytes: 4 });
  expect(decoder.push(Buffer.from('abcd\nab'))).toEqual(['abcd']);
  expect(() => decoder.push(Buffer.from('cde'))).toThrow(RangeError);
});

describe('the summary', () => {
  const of = (...lines: string[]) => summarise(parseJournal(journal(...lines)));
  const ready = '{"return": {}}';

  test('of nothing, and of a greeting alone: not started', () => {
    expect(of()).toEqual(emptySummary);
    expect(of(greeting).started).toBe(false);
    expect(of(greeting, ready).started).toBe(true);
  });

  test('knows a guest that is paused: by -S, by STOP', () => {
    const status = (running: boolean): string =>
      JSON.stringify({ return: { status: running ? 'running' : 'prelaunch', running }, id: 'status' });
    expect(of(greeting, ready, status(false)).paused).toBe(true);
    expect(of(greeting, ready, status(true)).paused).toBe(false);
    expect(of(greeting, ready, status(false), event('RESUME')).paused).toBe(false);
    expect(of(greeting, ready, event('STOP')).paused).toBe(true);
  });

  test('knows a power-down under way, and one that ended in a reboot', () => {
    expect(of(ready, event('POWERDOWN')).poweringDown).toBe(true);
    expect(of(ready, event('POWERDOWN'), event('RESET', { guest: true })).poweringDown).toBe(false);
  });

  test('knows why it ended', () => {
    expect(of(ready, event('SHUTDOWN', { guest: true, reason: 'guest-shutdown' }))).toMatchObject({
      shutdownReason: 'guest-shutdown',
      poweringDown: false,
    });
    expect(
      of(ready, event('GUEST_PANICKED'), event('SHUTDOWN', { guest: false, reason: 'guest-panic' })),
    ).toMatchObject({
      guestPanicked: true,
      shutdownReason: 'guest-panic',
    });
  });
});
