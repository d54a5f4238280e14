import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { descend } from '../../../src/launch/descend.ts';
import { createLimit } from '../../../src/launch/limit.ts';

const soon = (turns: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, turns % 4));

describe('the way back', () => {
  test('each VM ends after all that come after it, and all of them end once', async () => {
    const edges = fc.array(fc.tuple(fc.nat({ max: 7 }), fc.nat({ max: 7 })), { maxLength: 16 });
    await fc.assert(
      fc.asyncProperty(edges, fc.integer({ min: 1, max: 4 }), async (pairs, atOnce) => {
        const vms = Array.from({ length: 8 }, (_, index) => ({
          name: `v${index}`,
          after: pairs.flatMap(([from, to]) => (from === index && to < from ? [{ vm: `v${to}` }] : [])),
        }));
        const said: string[] = [];
        let now = 0;
        await descend(
          vms,
          async ({ name }) => {
            now += 1;
            expect(now).toBeLessThanOrEqual(atOnce);
            said.push(`begin ${name}`);
            await soon(name.charCodeAt(1));
            said.push(`end ${name}`);
            now -= 1;
          },
          atOnce,
        );
        expect(said).toHaveLength(16);
        expect(new Set(said).size).toBe(16);
        for (const { name, after } of vms)
          for (const { vm } of after) expect(said.indexOf(`end ${name}`)).toBeLessThan(said.indexOf(`begin ${vm}`));
      }),
      { numRuns: 30 },
    );
  });

  test('an `after` that leads out of the lab is no matter', async () => {
    const said: string[] = [];
    await descend([{ name: 'a', after: [{ vm: 'elsewhere' }] }], async ({ name }) => void said.push(name), 1);
    expect(said).toEqual(['a']);
  });
});

describe('a limit', () => {
  test('lets so many in, in their order, and a failure gives its place on', async () => {
    const limit = createLimit(2);
    const began: number[] = [];
    let now = 0;
    let most = 0;
    const results = await Promise.allSettled(
      [0, 1, 2, 3, 4, 5].map((number) =>
        limit(async () => {
          began.push(number);
          most = Math.max(most, (now += 1));
          await soon(number);
          now -= 1;
          if (number % 2 === 0) throw new Error(`no ${number}`);
          return number;
        }),
      ),
    );
    expect(began).toEqual([0, 1, 2, 3, 4, 5]);
    expect(most).toBe(2);
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'failed'))).toEqual([
      'failed',
      1,
      'failed',
      3,
      'failed',
      5,
    ]);
  });
});
