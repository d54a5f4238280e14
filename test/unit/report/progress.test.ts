import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startProgress } from '../../../src/report/progress.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('what is over soon is not mentioned', () => {
  const written: string[] = [];
  const progress = startProgress('stopping web1', true, (text) => written.push(text));
  vi.advanceTimersByTime(250);
  progress.done();
  vi.advanceTimersByTime(2000);
  expect(written).toEqual([]);
});

test('one line, told anew, and taken away at the end', () => {
  const written: string[] = [];
  const progress = startProgress('stopping web1', true, (text) => written.push(text));
  vi.advanceTimersByTime(400);
  progress.update('killing\u001b[2J web1');
  vi.advanceTimersByTime(100);
  progress.done();
  progress.done();
  vi.advanceTimersByTime(2000);
  const shown = written.map((text) => text.replace('\r\u001b[K', '<').replace(/^<. /, '<'));
  expect(shown.at(0)).toBe('<stopping web1');
  expect(shown.at(-2)).toBe('<killing\\e[2J web1');
  expect(written.at(-1)).toBe('\r\u001b[K');
  expect(written.join('')).not.toContain('\n');
});

test('where nobody looks it is silent', () => {
  const written: string[] = [];
  startProgress('stopping web1', false, (text) => written.push(text));
  vi.advanceTimersByTime(2000);
  expect(written).toEqual([]);
});
