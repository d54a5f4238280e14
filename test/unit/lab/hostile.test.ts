/** Whatever is written in a lab file, it is a lab or it has faults, each with its place; nothing else comes of it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { QrunError } from '../../../src/errors.ts';
import { orderOf } from '../../../src/lab/order.ts';
import { isLab } from '../../../src/lab/parse.ts';
import { labOf } from './lab-text.ts';
import { runs } from '../quick.ts';
import { anyText } from '../any-text.ts';

/** Mostly what may stand there, else what may not. */
const mostly = <T, U>(good: readonly T[], bad: readonly U[]) =>
  fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...bad) });
const names = mostly(['a', 'b', 'c', 'd'], ['__proto__', 'constructor', '', '-x', 'a b', '../a.yaml', 'x'.repeat(50)]);
const waits = mostly(['end', 'port:22', 'text:a'], ['port:0', 'text:(', 'soon', '', null, 3]);
const odd = fc.oneof(fc.jsonValue({ maxDepth: 2 }), names, waits);

const after = fc.oneof(names, fc.array(names, { maxLength: 3 }), fc.dictionary(names, waits, { maxKeys: 3 }));
const vm = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record(
      {
        profile: names,
        after,
        wait: waits,
        timeout: fc.nat({ max: 90_000 }),
        args: fc.array(fc.string()),
        name: names,
      },
      { requiredKeys: [] },
    ),
  },
  { weight: 1, arbitrary: odd },
);
const vms = fc.oneof(fc.dictionary(names, vm, { maxKeys: 5 }), fc.array(vm, { maxLength: 5 }), odd);
const labs = fc.record(
  { vms, networks: fc.oneof(fc.array(names, { maxLength: 3 }), odd), description: fc.string() },
  { requiredKeys: [] },
);

/** JSON is YAML; `__proto__` becomes a key like any other. */
const textOf = (value: unknown): string => JSON.stringify(value);

test('a lab of any shape is valid and has an order, or is told what is wrong, and where', () => {
  let valid = 0;
  fc.assert(
    fc.property(fc.oneof({ weight: 9, arbitrary: labs }, { weight: 1, arbitrary: fc.jsonValue() }), (value) => {
      const text = textOf(value);
      isLab(text);
      try {
        const lab = labOf(text);
        expect(orderOf(lab.vms)).toHaveLength(lab.vms.length);
        valid += 1;
      } catch (error) {
        if (!(error instanceof QrunError)) throw error;
        expect(error.code).toBe('invalid-lab');
        expect(error.faults.length).toBeGreaterThan(0);
        for (const { line, column, message } of error.faults) {
          expect(Math.min(line, column)).toBeGreaterThan(0);
          expect(message).not.toMatch(/undefined|\[object|Invalid input/);
        }
      }
    }),
    // also in a quick check: one in some ten is valid
    { numRuns: 200 },
  );
  expect(valid).toBeGreaterThan(0);
});

test('any text is taken as it is', () => {
  fc.assert(
    fc.property(anyText({ maxLength: 60 }), (text) => {
      isLab(text);
      expect(() => labOf(`vms: ${text}`)).toSatisfy((parse: () => unknown) => {
        try {
          parse();
          return true;
        } catch (error) {
          return error instanceof QrunError && error.code === 'invalid-lab';
        }
      });
    }),
    { numRuns: runs(100) },
  );
});
