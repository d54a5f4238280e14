/**
 * The kinds of values that a profile is made of, as zod schemas: each knows its JSON Schema (for editors) and says what is wrong in words.
 */
import path from 'node:path';
import * as z from 'zod/mini';
import type { Parsed } from './address.ts';
import { faultOfIfName, type IfName } from '../names.ts';
import { truncated } from './words.ts';

export interface FieldContext {
  /** Absolute: what relative paths are relative to, the profile's directory. */
  readonly directory: string;
  /** What `~/` stands for; undefined: it is refused. */
  readonly home?: string;
}

export interface FieldNotes {
  readonly pattern?: string;
  readonly examples?: readonly (string | number)[];
}

/** Attaches what an editor shows. Patterns are without flags, for JSON Schema has none, and never narrower than what is accepted. */
export function described<S extends z.ZodMiniType>(schema: S, description: string, notes: FieldNotes = {}): S {
  z.globalRegistry.add(schema, { description, ...notes, ...(notes.examples && { examples: [...notes.examples] }) });
  return schema;
}

/** A text that becomes something: the schema's output is what `parse` returns. */
export function parsedText<T>(description: string, parse: (text: string) => Parsed<T>, notes: FieldNotes = {}) {
  return z.pipe(described(z.string(), description, notes), transformed(parse));
}

export function transformed<I, T>(parse: (input: I) => Parsed<T>) {
  return z.transform((input: I, payload): T => {
    const parsed = parse(input);
    if ('value' in parsed) return parsed.value;
    payload.issues.push({ code: 'custom', input, message: parsed.fault });
    return z.NEVER;
  });
}

/** A text that stays one. `faultOf` says what is wrong with it. */
export function text(description: string, faultOf: (text: string) => string | undefined, notes: FieldNotes = {}) {
  const check = z.check<string>((payload) => {
    const message = payload.value === '' ? 'the text is empty' : faultOf(payload.value);
    if (message !== undefined) payload.issues.push({ code: 'custom', input: payload.value, message });
  });
  return described(z.string().check(check), description, notes);
}

/** A text of which a pattern says all: the pattern is anchored here. */
export interface WordOptions {
  readonly pattern: string;
  /** For the fault: `… is no machine type`. */
  readonly what: string;
  readonly examples?: readonly string[];
}

export function word(description: string, { pattern, what, examples = [] }: WordOptions) {
  const anchored = `^${pattern}$`;
  const expression = new RegExp(anchored);
  return text(description, (value) => (expression.test(value) ? undefined : `${truncated(value)} is no ${what}`), {
    pattern: anchored,
    ...(examples.length > 0 && { examples }),
  });
}

export function wholeNumber(description: string, least: number, most: number) {
  return described(z.int().check(z.gte(least), z.lte(most)), description);
}

export function flag(description: string) {
  return described(z.boolean(), description);
}

export function oneOf<const T extends readonly [string, ...string[]]>(description: string, words: T) {
  return described(z.enum(words), description);
}

/** A map with these keys and no others. The known keys travel in the issue's message, for the suggestion (profile/issues). */
export function map<T extends z.core.$ZodLooseShape>(description: string, shape: T) {
  const known = Object.keys(shape).join(' ');
  const schema = z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : undefined),
  });
  z.globalRegistry.add(schema, { description });
  return schema;
}

export function filePath(context: FieldContext, description: string, examples: readonly string[] = []) {
  return parsedText(description, (written) => parsePath(written, context), examples.length > 0 ? { examples } : {});
}

/** sun_path has 108 bytes, the last of them zero. */
export const maxSocketPath = 107;

export function socketPath(context: FieldContext, description: string, spare = 0) {
  return parsedText(description, (written) => parseSocketPath(written, context, spare));
}

export function parseSocketPath(written: string, context: FieldContext, spare = 0): Parsed<string> {
  const parsed = parsePath(written, context);
  if ('fault' in parsed) return parsed;
  const bytes = Buffer.byteLength(parsed.value);
  if (bytes <= maxSocketPath - spare) return parsed;
  return {
    fault: `the path of a socket has at most ${maxSocketPath - spare} bytes, and ${truncated(parsed.value)} has ${bytes}`,
  };
}

/**
 * A path in the profile's words → absolute. What QEMU would take for one of its protocols (`nbd:…`, `json:…`) is refused: it is either an
 * attack or a file that is better written `./nbd:…`.
 */
export function parsePath(written: string, { directory, home }: FieldContext): Parsed<string> {
  if (written === '') return { fault: 'the path is empty' };
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(written)) {
    return { fault: `${truncated(written)} names a protocol and not a file: write ./ in front if it is a file's name` };
  }
  if (written.startsWith('~')) {
    if (!written.startsWith('~/') || home === undefined)
      return { fault: `${truncated(written)}: write the directory out` };
    return { value: path.join(home, written.slice(2)) };
  }
  const absolute = path.resolve(directory, written);
  if (Buffer.byteLength(absolute) > 4095) return { fault: 'the path has more than 4095 bytes' };
  return { value: absolute };
}

export function interfaceName(description: string) {
  return parsedText(description, parseIfName, { pattern: '^[^/%:\\s]{1,15}$' });
}

function parseIfName(written: string): Parsed<IfName> {
  const fault = faultOfIfName(written);
  return fault === undefined ? { value: written as IfName } : { fault: `${truncated(written)}: ${fault}` };
}

export function textList(description: string, what: string) {
  return described(z.array(described(z.string(), what)), description);
}
