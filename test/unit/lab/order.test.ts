import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findCycle, followersOf, orderOf, type Ordered } from '../../../src/lab/order.ts';

const vm = (name: string, ...after: string[]): Ordered => ({ name, after: after.map((one) => ({ vm: one })) });
const namesOf = (vms: readonly Ordered[]): string[] => vms.map(({ name }) => name);

/** VMs `v0`, `v1`, … in any order, with any edges among them. */
const graphs = fc.integer({ min: 1, max: 12 }).chain((count) =>
  fc.record({
    count: fc.constant(count),
    edges: fc.array(fc.tuple(fc.nat({ max: count - 1 }), fc.nat({ max: count - 1 })), { maxLength: 30 }),
    shuffled: fc.shuffledSubarray([...Array(count).keys()], { minLength: count, maxLength: count }),
  }),
);

const graphOf = (shuffled: readonly number[], edges: readonly (readonly [number, number])[]): Ordered[] =>
  shuffled.map((one) => vm(`v${one}`, ...edges.filter(([from]) => from === one).map(([, to]) => `v${to}`)));

describe('an order', () => {
  test('is as written where nothing else is asked', () => {
    expect(namesOf(orderOf([vm('c'), vm('a'), vm('b')]))).toEqual(['c', 'a', 'b']);
    expect(namesOf(orderOf([vm('web', 'db'), vm('db'), vm('front', 'web')]))).toEqual(['db', 'web', 'front']);
  });

  test('respects every `after`, and leaves none out', () => {
    fc.assert(
      fc.property(graphs, ({ edges, shuffled }) => {
        // an edge to a smaller number only: there is no cycle
        const vms = graphOf(
          shuffled,
          edges.filter(([from, to]) => from > to),
        );
        const order = namesOf(orderOf(vms));
        expect(order.toSorted()).toEqual(namesOf(vms).toSorted());
        for (const { name, after } of vms)
          for (const edge of after) expect(order.indexOf(edge.vm)).toBeLessThan(order.indexOf(name));
        expect(findCycle(vms)).toBeUndefined();
      }),
    );
  });

  test('a follower is whoever names it', () => {
    expect(Object.fromEntries(followersOf([vm('a'), vm('b', 'a'), vm('c', 'a', 'b')]))).toEqual({
      a: ['b', 'c'],
      b: ['c'],
      c: [],
    });
  });
});

describe('a cycle', () => {
  test('is named from its first back to it', () => {
    expect(findCycle([vm('a', 'b'), vm('b', 'a')])).toEqual(['a', 'b', 'a']);
    expect(findCycle([vm('x', 'a'), vm('a', 'b'), vm('b', 'c'), vm('c', 'a')])).toEqual(['a', 'b', 'c', 'a']);
    expect(findCycle([vm('a', 'a')])).toEqual(['a', 'a']);
    expect(findCycle([vm('a', 'elsewhere')])).toBeUndefined();
  });

  test('is found exactly when no order holds all, and is one', () => {
    fc.assert(
      fc.property(graphs, ({ edges, shuffled }) => {
        const vms = graphOf(shuffled, edges);
        const cycle = findCycle(vms);
        expect(cycle === undefined).toBe(orderOf(vms).length === vms.length);
        if (cycle === undefined) return;
        expect(cycle.length).toBeGreaterThan(1);
        expect(cycle.at(-1)).toBe(cycle[0]);
        cycle.slice(1).forEach((next, index) => {
          const after = vms.find(({ name }) => name === cycle[index])?.after ?? [];
          expect(after.map((edge) => edge.vm)).toContain(next);
        });
      }),
    );
  });

  test('of five hundred is found too', () => {
    const ring = Array.from({ length: 500 }, (_, index) => vm(`v${index}`, `v${(index + 1) % 500}`));
    expect(findCycle(ring)).toHaveLength(501);
    expect(orderOf(ring.slice(1))).toHaveLength(499);
  });
});
