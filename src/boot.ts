/**
 * What node loads first: tiny, plain CommonJS once built. Answers `--version`, else runs the bundle beside it, with V8's compiled code of it from
 * the cache if that can be trusted (code-cache.ts).
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Outcome } from './cli.ts';
import type { CodeCache as CodeCacheType } from './code-cache.ts';
import { ClosedOutput } from './errors.ts';
import { writeAll } from './report/output.ts';

/** Put in by the build: the package's version, the files that it is made of and their hash, and the commands with their families. */
declare const QRUN_VERSION: string;
declare const QRUN_BUILD: string;
declare const QRUN_SOURCES: readonly string[];
declare const QRUN_FAMILIES: Readonly<Record<string, string>>;

const bundleFile = 'qrun.cjs';
/** What most runs do without; and for networks nearly all runs do without schemas, and what starts a VM. */
const isLate = (name: string, family: string): boolean =>
  name === 'more.cjs' || (['net-up', 'net-down'].includes(family) && !ofNetworks.includes(name));
const ofNetworks: readonly string[] = [bundleFile, 'end.cjs', 'up.cjs'];

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
  const [first = '', second = ''] = argv.filter((one) => !one.startsWith('-'));
  const name = [`${first} ${second}`, first].find((one) => Object.hasOwn(QRUN_FAMILIES, one));
  return name === undefined ? 'profile' : (QRUN_FAMILIES[name] ?? '');
}

/** Loaded here and not on top: `--version` needs none of it. */
function runBundle(argv: readonly string[]): void {
  const { Script } = require('node:vm') as typeof import('node:vm');
  const { CodeCache, codeCacheDirectory } = require('./code-cache.ts') as typeof import('./code-cache.ts');
  const packageRoot = path.dirname(__dirname);
  const family = familyOf(argv);
  const cacheOptions = {
    file: path.join(__dirname, bundleFile),
    build: QRUN_BUILD,
    directory: codeCacheDirectory(packageRoot),
    uid: process.geteuid?.() ?? 0,
  };
  const cache = new CodeCache({ ...cacheOptions, family });
  /** Its code is kept apart: who does without it need not read that of those who do not. */
  let lateCache: CodeCacheType | undefined;
  const cacheOf = (name: string): CodeCacheType =>
    isLate(name, family) ? (lateCache ??= new CodeCache({ ...cacheOptions, family: `${family}-more` })) : cache;
  const load = (name: string): unknown => {
    const file = path.join(__dirname, name);
    // a function of what a module sees, in ASCII: a one-byte string is the quickest to make
    const source = readFileSync(file, 'latin1');
    const cachedData = cacheOf(name).codeOf(name);
    const script = new Script(source, {
      filename: file,
      ...(cachedData !== undefined && { cachedData }),
    });
    cacheOf(name).loaded(name, script);
    const module: { exports: unknown } = { exports: {} };
    const define = script.runInThisContext() as (...parts: readonly unknown[]) => void;
    define(module.exports, requireOne, module, file, __dirname);
    return module.exports;
  };
  const requireOne = requireOf(load);
  let done: string | undefined;
  process.on('exit', () => {
    cache.keep(done);
    lateCache?.keep(done);
  });
  const { main } = requireOne(`./${bundleFile}`) as Bundle;
  void main(argv, { packageRoot }).then(({ status, command }) => {
    if (status === 0) done = command;
    // all is said and done; at an end of its own node takes its heap to pieces first, which takes milliseconds
    process.exit(status);
  });
}

/** The files of the bundle and the libraries beside it are loaded once each; everything else is Node's own. */
function requireOf(load: (name: string) => unknown): (id: string) => unknown {
  const libraries = new Map<string, unknown>();
  return (id) => {
    const name = id.slice('./'.length);
    if (!QRUN_SOURCES.includes(name)) return require(id);
    if (!libraries.has(name)) libraries.set(name, load(name));
    return libraries.get(name);
  };
}

boot(process.argv.slice(2));
