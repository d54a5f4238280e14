/**
 * What node loads first: tiny, plain CommonJS once built. Answers `--version`, else runs the bundle beside it, with V8's compiled code of it from
 * the cache if that can be trusted (code-cache.ts).
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Outcome } from './cli.ts';
import { ClosedOutput, writeAll } from './report/output.ts';

/** Put in by the build: the package's version, a hash of the bundle, and the commands with their families. */
declare const QRUN_VERSION: string;
declare const QRUN_BUILD: string;
declare const QRUN_FAMILIES: Readonly<Record<string, string>>;

interface Bundle {
  readonly main: (argv: readonly string[], options: { readonly packageRoot: string }) => Promise<Outcome>;
}

function boot(argv: readonly string[]): void {
  if (argv.length === 1 && argv[0] === '--version') printVersion();
  else runBundle(argv);
}

function printVersion(): void {
  try {
    writeAll(1, `${QRUN_VERSION}\n`);
  } catch (error) {
    if (!(error instanceof ClosedOutput)) throw error;
  }
}

/** Which part of the bundle will be used. A wrong guess costs time and nothing else. */
function familyOf(argv: readonly string[]): string {
  if (argv.length === 0 || argv.includes('--help') || argv.includes('-h')) return 'help';
  const word = argv.find((one) => !one.startsWith('-')) ?? '';
  return Object.hasOwn(QRUN_FAMILIES, word) ? (QRUN_FAMILIES[word] ?? '') : 'profile';
}

/** Loaded here and not on top: `--version` needs none of it. */
function runBundle(argv: readonly string[]): void {
  const { Script } = require('node:vm') as typeof import('node:vm');
  const { CodeCache, codeCacheDirectory } = require('./code-cache.ts') as typeof import('./code-cache.ts');
  const packageRoot = path.dirname(__dirname);
  const file = path.join(__dirname, 'qrun.cjs');
  const directory = codeCacheDirectory(packageRoot);
  const uid = process.geteuid?.() ?? 0;
  const cache = new CodeCache({ file, build: QRUN_BUILD, family: familyOf(argv), directory, uid });
  // the bundle is ASCII: a one-byte string is the quickest to make
  const source = readFileSync(file, 'latin1');
  const script = new Script(`(function(exports,require,module,__filename,__dirname){${source}\n})`, {
    filename: file,
    ...(cache.code !== undefined && { cachedData: cache.code }),
  });
  const module: { exports: unknown } = { exports: {} };
  const define = script.runInThisContext() as (...parts: readonly unknown[]) => void;
  define(module.exports, require, module, file, __dirname);
  let done: string | undefined;
  process.on('exit', () => cache.keep(script, done));
  void (module.exports as Bundle).main(argv, { packageRoot }).then(({ status, command }) => {
    process.exitCode = status;
    if (status === 0) done = command;
  });
}

boot(process.argv.slice(2));
