import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Journal, readJournal } from '../../../src/journal/journal.ts';
import { acquireAll, releaseAll } from '../../../src/journal/walk.ts';
import type { Step } from '../../../src/plan/step.ts';
import type { Resource } from '../../../src/resources/resource.ts';
import { createSystem } from '../../../src/system/real.ts';

const head = { v: 1, runId: 'r1', bootId: 'b1', vm: 'web1', startedAt: '2026-01-01T00:00:00.000Z' } as const;
const step = (id: string): Step => ({ kind: 'copy', id, needsRoot: false, from: 'a', to: 'b' });

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'qrun-journal-'));
  file = path.join(directory, 'journal');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A resource that writes down what is done to it, and fails where it is told to. */
function witness(log: string[], fails: { acquire?: string; release?: string } = {}): Resource {
  return {
    describe: () => ({ acquire: [], release: [] }),
    acquire: async ({ id }) => {
      if (fails.acquire === id) throw new Error(`no ${id}`);
      log.push(`+${id}`);
      return { of: id };
    },
    release: async ({ id }, record, { started }) => {
      if (fails.release === id) throw new Error(`stuck ${id}`);
      log.push(`-${id}${record === undefined ? '?' : ''}${started ? '!' : ''}`);
    },
  };
}

const acquireContext = { system: createSystem(), runId: 'r1', descriptors: new Map<number, number>(), warn: () => {} };
const releaseContext = { system: createSystem(), runId: 'r1', sameBoot: true };

describe('journal', () => {
  test('says what was taken, with its record', () => {
    const journal = Journal.begin(file, head);
    journal.intent(step('a'));
    journal.record(step('a'), { port: 80 });
    journal.intent(step('b'));
    journal.close();
    const content = readJournal(file);
    expect(content?.head).toEqual(head);
    expect(content?.started).toBe(false);
    expect(content?.entries.map(({ step: { id }, record }) => [id, record])).toEqual([
      ['a', { port: 80 }],
      ['b', undefined],
    ]);
  });

  test('a line that a kill cut short says nothing, and loses no other', () => {
    const journal = Journal.begin(file, head);
    journal.intent(step('a'));
    journal.started();
    journal.close();
    appendFileSync(file, '{"intent":{"kind":"co');
    const content = readJournal(file);
    expect(content?.entries.map(({ step: { id } }) => id)).toEqual(['a']);
    expect(content?.started).toBe(true);
  });

  test('a newer one is refused and left as it is', () => {
    const text = '{"v":2,"runId":"r1","bootId":"b1","vm":"web1"}\n';
    writeFileSync(file, text);
    expect(() => readJournal(file)).toThrow(expect.objectContaining({ code: 'newer-state', status: 3 }));
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  test('there is one at a time', () => {
    Journal.begin(file, head).close();
    expect(() => Journal.begin(file, head)).toThrow(/EEXIST/);
  });
});

describe('walk', () => {
  test('for every step that fails, what was taken before is given back in reverse, and the journal is gone', async () => {
    const steps = ['a', 'b', 'c', 'd'].map(step);
    for (const failing of [...steps.map(({ id }) => id), 'none']) {
      const log: string[] = [];
      const registry = (): Resource => witness(log, { acquire: failing });
      const journal = Journal.begin(file, head);
      const taken = acquireAll(steps, { journal, registry, context: acquireContext });
      if (failing === 'none') await taken;
      else await expect(taken).rejects.toThrow(`no ${failing}`);
      journal.close();
      expect(await releaseAll(file, { registry, context: releaseContext })).toEqual([]);
      const before = steps
        .slice(0, failing === 'none' ? 4 : steps.findIndex(({ id }) => id === failing))
        .map(({ id }) => id);
      const half = failing === 'none' ? [] : [`-${failing}?`];
      expect(log).toEqual([...before.map((id) => `+${id}`), ...half, ...before.toReversed().map((id) => `-${id}`)]);
      expect(existsSync(file)).toBe(false);
    }
  });

  test('a release that fails stops no other; the journal keeps it, and a second walk does only that', async () => {
    const log: string[] = [];
    const journal = Journal.begin(file, head);
    await acquireAll(['a', 'b', 'c'].map(step), { journal, registry: () => witness(log), context: acquireContext });
    journal.started();
    journal.close();
    log.length = 0;
    const left = await releaseAll(file, { registry: () => witness(log, { release: 'b' }), context: releaseContext });
    expect(left.map(({ step: { id }, error }) => [id, error.message])).toEqual([['b', 'stuck b']]);
    expect(log).toEqual(['-c!', '-a!']);
    log.length = 0;
    expect(await releaseAll(file, { registry: () => witness(log), context: releaseContext })).toEqual([]);
    expect(log).toEqual(['-b!']);
    expect(existsSync(file)).toBe(false);
  });

  test('twice is once, and no journal is nothing to do', async () => {
    const log: string[] = [];
    const journal = Journal.begin(file, head);
    await acquireAll([step('a')], { journal, registry: () => witness(log), context: acquireContext });
    journal.close();
    await releaseAll(file, { registry: () => witness(log), context: releaseContext });
    expect(await releaseAll(file, { registry: () => witness(log), context: releaseContext })).toEqual([]);
    expect(log).toEqual(['+a', '-a']);
  });

  test('a journal that was killed before its head was written holds nothing, and is removed', async () => {
    writeFileSync(file, '{"v":1,"run');
    expect(await releaseAll(file, { registry: () => witness([]), context: releaseContext })).toEqual([]);
    expect(existsSync(file)).toBe(false);
  });

  test('steps are written down before they are taken', async () => {
    const journal = Journal.begin(file, head);
    const seen: string[] = [];
    const registry = (): Resource => ({
      ...witness([]),
      acquire: async ({ id }) => (
        seen.push(readFileSync(file, 'utf8').includes(`"id":"${id}"`) ? id : `${id} too early`),
        {}
      ),
    });
    await acquireAll([step('a'), step('b')], { journal, registry, context: acquireContext });
    journal.close();
    expect(seen).toEqual(['a', 'b']);
  });
});
