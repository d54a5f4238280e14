/** The walks, with steps that are nothing but what they note. What the real ones do: test/netns/bridged. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Journal, readJournal } from '../../../src/journal/journal.ts';
import { acquireAll, releaseAll } from '../../../src/journal/walk.ts';
import type { FileStep, Step } from '../../../src/plan/step.ts';
import type { Resource } from '../../../src/resources/resource.ts';
import { createSystem } from '../../../src/system/real.ts';

let place: string;
let file: string;
let notes: string[];
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'qrun-walk-'));
  file = path.join(place, 'journal');
  notes = [];
});
afterEach(() => rmSync(place, { recursive: true }));

const step = (id: string, overlaps?: Step['overlaps']): FileStep => ({
  kind: 'file',
  id,
  needsRoot: false,
  path: id,
  content: '',
  ...(overlaps !== undefined && { overlaps }),
});

/** Each takes a turn of the event loop; those in `failing` fail then. */
function registry(failing: readonly string[] = [], longest: readonly string[] = []): (one: Step) => Resource {
  const act = async (verb: string, id: string): Promise<void> => {
    notes.push(`${verb} ${id}`);
    await new Promise((resolve) => setImmediate(resolve));
    notes.push(`${id} over`);
    if (failing.includes(id)) throw new Error(`${id} failed`);
  };
  const resource: Resource = {
    describe: () => ({ acquire: [], release: [] }),
    acquire: async ({ id }) => {
      await act('take', id);
      return {};
    },
    release: async ({ id }) => await act('give', id),
  };
  return ({ id }) => (longest.includes(id) ? { ...resource, takesLongest: true } : resource);
}

const context = { system: createSystem(), runId: 'r1', descriptors: new Map<number, number>(), warn: () => {} };
const ends = { ...context, sameBoot: true };

async function take(steps: readonly Step[], failing: readonly string[] = []): Promise<void> {
  const journal = Journal.begin(file, { v: 1, runId: 'r1', bootId: 'b', vm: 'v', startedAt: '' });
  try {
    await acquireAll(steps, { journal, registry: registry(failing), context });
  } finally {
    journal.close();
  }
}

test('one after the other, and back in reverse', async () => {
  await take([step('a'), step('b')]);
  expect(notes.splice(0)).toEqual(['take a', 'a over', 'take b', 'b over']);
  expect(await releaseAll(file, { registry: registry(), context: ends })).toEqual([]);
  expect(notes).toEqual(['give b', 'b over', 'give a', 'a over']);
});

test('one that overlaps is taken while the one before it is, and nothing after them before both are', async () => {
  await take([step('a'), step('b', 'taken'), step('c')]);
  expect(notes).toEqual(['take a', 'take b', 'a over', 'b over', 'take c', 'c over']);
});

test('one that overlaps is given back while the one after it is, and nothing before them before both are', async () => {
  await take([step('a'), step('b', 'given'), step('c')]);
  expect(notes.splice(0)).toEqual(['take a', 'a over', 'take b', 'b over', 'take c', 'c over']);
  await releaseAll(file, { registry: registry(), context: ends });
  expect(notes).toEqual(['give c', 'give b', 'c over', 'b over', 'give a', 'a over']);
});

test('what takes longest is begun first among those that are given back together, and before no others', async () => {
  await take([step('a'), step('b', 'given'), step('c', 'given'), step('d')]);
  notes.length = 0;
  await releaseAll(file, { registry: registry([], ['a', 'b']), context: ends });
  expect(notes).toEqual(['give b', 'give d', 'give c', 'b over', 'd over', 'c over', 'give a', 'a over']);
});

test('what fails while another is under way is thrown when that is over, and both are in the journal', async () => {
  await expect(take([step('a'), step('b', 'taken'), step('c')], ['a'])).rejects.toThrow('a failed');
  expect(notes).toEqual(['take a', 'take b', 'a over', 'b over']);
  expect(readJournal(file)?.entries.map((one) => [one.step.id, one.record])).toEqual([
    ['a', undefined],
    ['b', {}],
  ]);
});

test('what cannot be given back is told, the others go, and it stays in the journal', async () => {
  await take([step('a'), step('b', 'given'), step('c')]);
  const left = await releaseAll(file, { registry: registry(['c', 'a']), context: ends });
  expect(left.map(({ error }) => error.message)).toEqual(['c failed', 'a failed']);
  expect(
    readJournal(file)
      ?.entries.filter(({ released }) => released)
      .map((one) => one.step.id),
  ).toEqual(['b']);
  notes.length = 0;
  expect(await releaseAll(file, { registry: registry(), context: ends })).toEqual([]);
  expect(notes).toEqual(['give c', 'c over', 'give a', 'a over']);
  expect(readJournal(file)).toBeUndefined();
});
