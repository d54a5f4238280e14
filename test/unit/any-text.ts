/** Any code point that is one, as fast-check's own `binary`: that one takes a second of a processor before its first text. */
import fc, { type Arbitrary, type StringConstraints } from 'fast-check';

const firstSurrogate = 0xd800;
const surrogates = 0x800;

const codePoint = fc
  .integer({ min: 0, max: 0x10_ff_ff - surrogates })
  .map((number) => String.fromCodePoint(number < firstSurrogate ? number : number + surrogates));

export const anyText = (constraints: StringConstraints = {}): Arbitrary<string> =>
  fc.string({ ...constraints, unit: codePoint });
