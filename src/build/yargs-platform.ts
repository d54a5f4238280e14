/**
 * What yargs asks of its platform, in place of its own `lib/platform-shims/esm.mjs`: that one loads assert, makes process.stdout, and looks for
 * package.json and locales, some ten milliseconds at each start, for things that qrun does not use. Only the help goes through here.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { format, inspect } from 'node:util';
// @ts-expect-error -- it has no types of its own
import cliui from 'cliui';
import Parser from 'yargs-parser';
import { widthOf } from '../report/width.ts';

/** English is what yargs' texts are written in. */
const y18n = {
  __: (text: string, ...values: unknown[]) => format(text, ...values),
  __n: (...[one, many, count, ...values]: readonly [string, string, number, ...unknown[]]) => {
    const text = count === 1 ? one : many;
    return text.includes('%d') ? format(text, count, ...values) : format(text, ...values);
  },
  getLocale: () => 'en',
  setLocale: () => {},
  updateLocale: () => {},
};

function refuse(what: string): never {
  throw new TypeError(`yargs wants ${what}`);
}

const strictEqual = (one: unknown, other: unknown, message?: string): void => {
  if (!Object.is(one, other)) throw new TypeError(message ?? 'not equal');
};
const notStrictEqual = (one: unknown, other: unknown, message?: string): void => {
  if (Object.is(one, other)) throw new TypeError(message ?? 'equal');
};

export const platform = {
  assert: { notStrictEqual, strictEqual },
  cliui,
  findUp: () => refuse('a package.json'),
  getEnv: (name: string) => process.env[name],
  getCallerFile: () => refuse('the file of its caller'),
  getProcessArgvBin: () => 'qrun',
  inspect,
  mainFilename: '/',
  Parser,
  path,
  process: {
    argv: () => process.argv,
    cwd: () => process.cwd(),
    emitWarning: (warning: string, type?: string) => process.emitWarning(warning, type),
    execPath: () => process.execPath,
    exit: () => refuse('to end the process'),
    nextTick: process.nextTick,
    stdColumns: null,
  },
  readFileSync,
  readdirSync,
  require: () => refuse('a module'),
  stringWidth: widthOf,
  y18n,
};
