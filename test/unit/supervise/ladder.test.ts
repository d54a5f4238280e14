import { expect, test } from 'vitest';
import { planLadder } from '../../../src/supervise/ladder.ts';

test('the button is pressed twice, then every rung is harder than the one before', () => {
  expect(planLadder({ timeoutMs: 60_000, from: 'power-down' })).toEqual([
    { rung: 'power-down', atMs: 0 },
    { rung: 'power-down', atMs: 5000 },
    { rung: 'quit', atMs: 60_000 },
    { rung: 'terminate', atMs: 65_000 },
    { rung: 'kill', atMs: 70_000 },
  ]);
});

test('a timeout shorter than the second press has no second press', () => {
  expect(planLadder({ timeoutMs: 1000, from: 'power-down' }).map(({ rung }) => rung)).toEqual([
    'power-down',
    'quit',
    'terminate',
    'kill',
  ]);
});

test('the second Ctrl-C begins at quit, one that has no monitor at terminate, the third Ctrl-C kills at once', () => {
  expect(planLadder({ timeoutMs: 60_000, from: 'quit' })).toEqual([
    { rung: 'quit', atMs: 0 },
    { rung: 'terminate', atMs: 5000 },
    { rung: 'kill', atMs: 10_000 },
  ]);
  expect(planLadder({ timeoutMs: 60_000, from: 'terminate' })).toEqual([
    { rung: 'terminate', atMs: 0 },
    { rung: 'kill', atMs: 5000 },
  ]);
  expect(planLadder({ timeoutMs: 60_000, from: 'kill' })).toEqual([{ rung: 'kill', atMs: 0 }]);
});

test('a ladder never goes down and always ends with the kill', () => {
  for (const timeoutMs of [0, 1, 4999, 5001, 600_000]) {
    const ladder = planLadder({ timeoutMs, from: 'power-down' });
    expect(ladder.at(-1)?.rung).toBe('kill');
    expect(ladder.map(({ atMs }) => atMs)).toEqual(ladder.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
  }
});
